"""The words of hostile files: events, YAML, headers, keys, templates, SQL that are well formed and not true.

Owns the words, by name. Refuses to know where they are put and who reads them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any


def _line(payload: str = '{"name":"training"}', kind: str = '"phase"', **fields: str) -> str:
    """One event as text, since JSON cannot say all of it."""
    said = {"v": "1", "seq": "900", "attempt": "1", "t": "1", **fields, "type": kind, "payload": payload}
    return "{" + ",".join(f'"{name}":{value}' for name, value in said.items()) + "}"


def _detail(text: str) -> str:
    return _line(f'{{"name":"training","detail":"{text}"}}')


EVENTS: Mapping[str, str] = {
    "a time beyond every calendar": _line(t="1e300"),
    "a time that is no number": _line(t="NaN"),
    "an endless time": _line('{"state":"stopped"}', '"ended"', t="Infinity"),
    "a number beyond every counter": _line(seq="9" + "0" * 300),
    "an attempt from the future": _line(attempt="4000000000"),
    "deep nesting": _line("[" * 9000 + "]" * 9000, '"warning"'),
    "deep nesting of an unknown type": _line('{"a":' * 9000 + "1" + "}" * 9000, '"x"'),
    "a later version": _line(v="2"),
    "a version that is a list": _line(v="[1]"),
    "a type that is none": _line(kind='{"a":1}'),
    "a loss that is no number": _line('{"step":1,"loss":NaN}', '"step"'),
    "a long text": _detail("x" * 5_000_000),
    "half a character": _detail("\\ud800"),
    "markup": _detail("<img src='file:///etc/passwd'>"),
    "a checkpoint elsewhere": _line(
        '{"step":1,"path":"../../../outside","size_bytes":-5,"seconds":1e400}', '"checkpoint"'
    ),
}
ESCAPES: Mapping[str, str] = {
    "a file above": "../../../../outside/precious",
    "an absolute path": "/etc/passwd",
    "an endless device": "/dev/zero",
    "a name with a zero": "a\0b",
    "a long name": "x" * 5000,
    "the folder itself": ".",
    "nothing": "",
    "half a character": "\ud800",
    "somebody's home": "~nobody-at-all/model",
}
YAML: Mapping[str, str] = {
    "a tag that would run a command": "!!python/object/apply:os.system ['touch {canary}']\n",
    "a tag that would make an object": "name: !!python/object/new:subprocess.Popen [[touch, {canary}]]\n",
    "a tag that would import": "name: !!python/module:os\n",
    "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)),
    "merged laughs": "a: &a {x: 1}\n" + "".join(f"b{n}: &b{n} {{<<: [*a, *a]}}\n" for n in range(2000)),
    "a name that contains itself": "name: &a [*a]\n",
    "a mapping that contains itself": "&a\nkind: train\nmodel: *a\n",
    "an alias of nothing": "name: *nothing\n",
    "deep brackets": "name: " + "[" * 20_000 + "]" * 20_000 + "\n",
    "deep indents": "".join(f"{' ' * n}a:\n" for n in range(3000)),
    "many documents": "---\na: 1\n" * 3000,
    "a key that is a list": "? [a, b]\n: 1\n",
    "a key twice": "kind: train\nkind: export\n",
    "a huge number": "version: " + "9" * 100_000 + "\n",
    "a version from the future": "version: 99\n",
    "a version that is text": "version: '1; DROP TABLE jobs'\n",
    "a date that is none": "name: 2001-99-99\n",
    "a sexagesimal of a thousand parts": "name: " + ":".join(["59"] * 3000) + "\n",
    "a long comment": "#" * 3_000_000 + "\n",
    "zeros": "name: a\0b\n",
    "a directive": "%YAML 9.9\n---\nname: a\n",
    "a directive that is none": "%TAG ! tag:x,2000:\n---\nname: !y z\n",
    "a long scalar": "name: " + "x" * 3_000_000 + "\n",
}


def _header(entries: Mapping[str, Any], data: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _tensor(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}


SAFETENSORS: Mapping[str, bytes] = {
    "a header of eight exabytes": struct.pack("<Q", 2**63) + b"{}",
    "a header of ninety megabytes that is not there": struct.pack("<Q", 90_000_000) + b"{}",
    "a header that is longer than the file": _header({}, length=100),
    "a negative offset": _header({"a": _tensor(data_offsets=[-16, 0])}, bytes(16)),
    "offsets the wrong way": _header({"a": _tensor(data_offsets=[16, 0])}, bytes(16)),
    "an offset beyond the end": _header({"a": _tensor(data_offsets=[0, 2**62])}, bytes(16)),
    "tensors on top of each other": _header({"a": _tensor(), "b": _tensor()}, bytes(16)),
    "a shape that overflows": _header({"a": _tensor(shape=[2**32, 2**32])}, bytes(16)),
    "a shape of a thousand dimensions": _header({"a": _tensor(shape=[1] * 1000)}, bytes(16)),
    "a shape of zeros": _header({"a": _tensor(shape=[0, 2**62], data_offsets=[0, 0])}),
    "a shape of fractions": _header({"a": _tensor(shape=[1.5, 2])}, bytes(16)),
    "a shape of truths": _header({"a": _tensor(shape=[True, 4])}, bytes(16)),
    "an unknown number format": _header({"a": _tensor(dtype="PICKLE")}, bytes(16)),
    "a format that is a list": _header({"a": _tensor(dtype=["F32"])}, bytes(16)),
    "an entry that is text": _header({"a": "tensor"}, bytes(16)),
    "a name that is a path": _header({"../../../outside/precious": _tensor()}, bytes(16)),
    "a name with a zero": _header({"a\0b": _tensor()}, bytes(16)),
    "metadata that is a list": _header({"__metadata__": [1], "a": _tensor()}, bytes(16)),
    "two hundred thousand tensors": _header(
        {f"{n}": _tensor(shape=[0], data_offsets=[0, 0]) for n in range(200_000)}
    ),
    "deep nesting": struct.pack("<Q", 18_010) + b'{"a":' + b"[" * 9000 + b"]" * 9000 + b"}    ",
    "bytes behind the last tensor": _header({"a": _tensor()}, bytes(999)),
}


def _gguf_file(
    pairs: bytes = b"", count: int = 0, tensors: bytes = b"", tensor_count: int = 0, version: int = 3
) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensor_count, count) + pairs + tensors


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def _tensor_info(shape: Sequence[int], kind: int = 0, offset: int = 0) -> bytes:
    return _text("t") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


GGUF: Mapping[str, bytes] = {
    "more keys than atoms": _gguf_file(count=2**63),
    "a billion keys": _gguf_file(count=10**9),
    "more tensors than atoms": _gguf_file(tensor_count=2**63),
    "a billion tensors": _gguf_file(tensor_count=10**9),
    "version 0": _gguf_file(version=0),
    "a later version": _gguf_file(version=99),
    "numbers the other way round": _gguf_file(version=3 << 24),
    "a key of eight exabytes": _gguf_file(struct.pack("<Q", 2**63) + b"x", 1),
    "an unknown type of value": _gguf_file(_text("a") + struct.pack("<I", 99), 1),
    "a text of eight exabytes": _gguf_file(_text("a") + struct.pack("<IQ", 8, 2**63), 1),
    "an array of a billion texts": _gguf_file(_text("a") + struct.pack("<IIQ", 9, 8, 10**9), 1),
    "an array of arrays": _gguf_file(_text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 2000, 1),
    "an alignment of zero": _gguf_file(_text("general.alignment") + struct.pack("<II", 4, 0), 1),
    "an alignment that is huge": _gguf_file(_text("general.alignment") + struct.pack("<II", 4, 2**31), 1),
    "the same key twice": _gguf_file((_text("a") + struct.pack("<II", 4, 1)) * 2, 2),
    "a tensor beyond the end": _gguf_file(tensors=_tensor_info([2, 2], offset=2**62), tensor_count=1),
    "a tensor that overflows": _gguf_file(tensors=_tensor_info([2**40, 2**40]), tensor_count=1),
    "a tensor of a thousand dimensions": _gguf_file(tensors=_tensor_info([1] * 1000), tensor_count=1),
    "a tensor of no dimension": _gguf_file(tensors=_tensor_info([]), tensor_count=1),
    "an unknown number format": _gguf_file(tensors=_tensor_info([2], kind=250), tensor_count=1),
    "text that is not UTF-8": _gguf_file(struct.pack("<Q", 2) + b"\xff\xfe" + struct.pack("<II", 4, 1), 1),
    "a magic number and no more": b"GGUF",
}
TEMPLATES: Mapping[str, str] = {
    "a way to the interpreter": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "a way to the system": "{{ cycler.__init__.__globals__.os.system('touch {canary}') }}",
    "a way by attr": "{{ ''|attr('__class__')|attr('mro') }}",
    "a way by format": "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
    "a way by a filter": "{{ messages|map(attribute='__class__.__mro__')|list }}",
    "an include": "{% include '/etc/passwd' %}",
    "an import": "{% import 'os' as os %}{{ os.system('touch {canary}') }}",
    "loops in loops": "{% for a in range(99999) %}" * 2 + "{% endfor %}" * 2,
    "loops in loops that write": "{% for a in range(9999) %}" * 2 + "{{ a }}" + "{% endfor %}" * 2,
    "a text of a terabyte": "{{ 'a' * (10 ** 12) }}",
    "a list of a billion": "{{ ([0] * (10 ** 9))|length }}",
    "a text that doubles": "{% set n = namespace(a='aa') %}{% for _ in range(60) %}"
    "{% set n.a = n.a ~ n.a %}{% endfor %}",
    "a block that doubles": "{% set n = namespace(a='aa') %}{% for _ in range(60) %}"
    "{% set b %}{{ n.a }}{{ n.a }}{% endset %}{% set n.a = b %}{% endfor %}",
    "a number that never ends": "{{ 9 ** (9 ** 9) }}",
    "a padding of a gigabyte": "{{ 'a'|center(10 ** 10) }}",
    "a padding by format": "{{ '%1000000000000d' % 1 }}",
    "a padding by a method": "{{ '{:>10000000000}'.format('a') }}",
    "a replacement of each character": "{{ ('a' * 999999).replace('a', 'b' * 999999) }}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro that calls itself twice": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}"
    "{% endmacro %}{{ m(60) }}",
    "a loop that recurs": "{% for a in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "a thousand brackets": "{{ " + "(" * 1000 + "1" + ")" * 1000 + " }}",
    "a thousand ifs": "{% if true %}" * 1000 + "x" + "{% endif %}" * 1000,
    "a test that there is not": "{{ ('a' * 30) is match('(a+)+$') }}",
    "words of its own": "{{ raise_exception('<b>no</b>') }}",
    "a date of a megabyte": "{{ strftime_now('%Y' * 250000) }}",
    "a change of what it is given": "{{ messages.append(1) }}{{ messages.clear() }}",
    "half a block": "{% for a in messages %}",
    "zeros": "\x00{{ messages }}\x00",
    "a million texts": "{{ (['a'] * 999999)|join('b' * 999) }}",
    "a slice into a million": "{{ messages|slice(10 ** 9)|list }}",
    "a batch of a billion": "{{ messages|batch(10 ** 9, 'x')|list }}",
    "lorem ipsum": "{{ lipsum(n=100000, min=1000, max=2000) }}",
    "indents": "{{ ('\\na' * 99999)|indent(99999) }}",
    "indents of JSON": "{{ messages|tojson(indent=10 ** 9) }}",
    "rounding to a billion digits": "{{ 5|round(10 ** 9, 'ceil') }}",
}

_TABLE = "CREATE TABLE jobs (id TEXT PRIMARY KEY, stamp TEXT NOT NULL, summary TEXT NOT NULL) WITHOUT ROWID;"
_ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
_INSERT = "CREATE TABLE jobs (id, stamp, summary); INSERT INTO jobs VALUES"

SQL: Mapping[str, str] = {
    "a view instead of a table": "CREATE VIEW jobs AS SELECT '1' AS id, '2' AS stamp, '{}' AS summary",
    "a view without an end": f"CREATE VIEW jobs AS {_ENDLESS} "
    "SELECT x AS id, x AS stamp, x AS summary FROM c",
    "a view that counts without an end": f"CREATE VIEW jobs AS {_ENDLESS} "
    "SELECT count(*) AS id, 1 AS stamp, 1 AS summary FROM c",
    "a trigger": f"{_TABLE} CREATE TRIGGER t AFTER INSERT ON jobs BEGIN DELETE FROM jobs; "
    "INSERT INTO jobs VALUES ('x', 'y', 'z'); END",
    "a trigger without an end": f"{_TABLE} CREATE TRIGGER t BEFORE INSERT ON jobs BEGIN "
    f"SELECT count(*) FROM ({_ENDLESS} SELECT x FROM c); END",
    "other columns": "CREATE TABLE jobs (a, b)",
    "summaries that are numbers": f"{_INSERT} (1, 2, 3)",
    "summaries that are blobs": f"{_INSERT} (x'ff', x'00', zeroblob(50000000))",
    "text that is not UTF-8": f"{_INSERT} (CAST(x'ff' AS TEXT), CAST(x'fe' AS TEXT), CAST(x'fd' AS TEXT))",
    "a blob in the very table": f"{_TABLE} INSERT INTO jobs VALUES ('a', 'b', zeroblob(50000000))",
    "broken text in the very table": f"{_TABLE} INSERT INTO jobs VALUES ('a', 'b', CAST(x'ff' AS TEXT))",
    "deep nesting in the very table": f"{_TABLE} INSERT INTO jobs VALUES ('a', 'b', '{'[' * 50_000}')",
    "a call of load_extension": "CREATE VIEW jobs AS "
    "SELECT load_extension('x') AS id, 1 AS stamp, 1 AS summary",
    "a write by a pragma": "CREATE VIEW jobs AS SELECT * FROM pragma_database_list",
    "a later version": "PRAGMA user_version = 99",
    "a negative version": "PRAGMA user_version = -5",
}
COMMANDS: Mapping[str, str] = {
    "a huge time": '{"v":1,"id":"a","attempt":1,"command":"stop","created_at":1' + "0" * 400 + "}",
    "a time that is no number": '{"v":1,"id":"a","attempt":1,"command":"stop","created_at":NaN}',
    "deep nesting": "[" * 9000 + "]" * 9000,
    "an id that is a list": '{"v":1,"id":["a"],"attempt":1,"command":"stop","created_at":1}',
    "a command that is a list": '{"v":1,"id":"a","attempt":1,"command":["stop"],"created_at":1}',
    "no fields": "[]",
    "a text for an object": '"stop"',
    "an attempt that is huge": '{"v":1,"id":"a","attempt":1e300,"command":"stop","created_at":1}',
}
