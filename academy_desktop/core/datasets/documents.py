"""The text of PDF and Word documents.

The libraries are imported when they are needed. Owns nothing but the extraction; refuses to know questions
and answers.
"""

from __future__ import annotations

import io
import zipfile

#: What all parts of a Word document may unpack to, in bytes.
UNPACKED_BYTES = 256 << 20


def read_pdf(content: bytes) -> str:
    """Extract the text of a PDF, its pages parted by an empty line.

    Raises:
        ValueError: it is damaged, encrypted or holds no text.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        document = PdfReader(io.BytesIO(content))
        if document.is_encrypted and not document.decrypt(""):
            raise ValueError("it is encrypted")
        text = "\n\n".join(page.extract_text() for page in document.pages)
    except (PyPdfError, RecursionError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(f"the PDF is damaged or encrypted ({error})") from error
    if not text.strip():
        raise ValueError("it holds no text, only pictures of it")
    return text


def read_docx(content: bytes) -> str:
    """Extract the paragraphs of a Word document.

    Raises:
        ValueError: it is damaged, or unpacks to far more than a document does.
    """
    import docx

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > UNPACKED_BYTES:
                raise ValueError("it unpacks to far more than its own size")
        document = docx.Document(io.BytesIO(content))
    except (zipfile.BadZipFile, KeyError, SyntaxError) as error:
        raise ValueError("the Word document is damaged") from error
    return "\n\n".join(paragraph.text for paragraph in document.paragraphs)
