"""How things fail: one code for each expected failure, raised with the facts that explain it.

Owns the codes and the exception. Refuses to know sentences: `academy_desktop.text` turns a code and its facts
into a title, a sentence and a next step, for the window and the command line alike.
"""

from __future__ import annotations

from enum import StrEnum

Fact = str | int | float | bool | None


class ErrorCode(StrEnum):
    """Every expected failure. Values belong to the protocol: events and JSON output carry them."""

    # the data directory and the machine
    DATA_DIR_NOT_WRITABLE = "data_dir_not_writable"
    DATA_DIR_NEWER = "data_dir_newer"
    DISK_FULL = "disk_full"
    OFFLINE = "offline"
    DOWNLOAD_FAILED = "download_failed"
    PACKAGE_MISSING = "package_missing"
    LLAMA_CPP_MISSING = "llama_cpp_missing"
    NO_DISPLAY = "no_display"
    SYSTEM_LIBRARY_MISSING = "system_library_missing"
    # files and datasets
    FILE_NOT_FOUND = "file_not_found"
    FILE_UNREADABLE = "file_unreadable"
    FILE_EMPTY = "file_empty"
    FILE_NOT_ITS_FORMAT = "file_not_its_format"
    FILE_ENCODING = "file_encoding"
    FORM_UNKNOWN = "form_unknown"
    MAPPING_INVALID = "mapping_invalid"
    NOTHING_LEFT = "nothing_left"
    DATASET_UNKNOWN = "dataset_unknown"
    DATASET_DAMAGED = "dataset_damaged"
    DATASET_KIND = "dataset_kind"
    # models
    MODEL_UNKNOWN = "model_unknown"
    MODEL_INCOMPLETE = "model_incomplete"
    MODEL_WITHOUT_TOKENIZER = "model_without_tokenizer"
    MODEL_WITHOUT_CHAT_TEMPLATE = "model_without_chat_template"
    MODEL_DAMAGED = "model_damaged"
    TEMPLATE_FAILED = "template_failed"
    MINIATURE_FAILED = "miniature_failed"
    # recipes
    RECIPE_INVALID = "recipe_invalid"
    RECIPE_UNREADABLE = "recipe_unreadable"
    # jobs
    JOB_UNKNOWN = "job_unknown"
    JOB_NOT_RESUMABLE = "job_not_resumable"
    JOB_NOT_RUNNING = "job_not_running"
    JOB_NOT_QUEUED = "job_not_queued"
    JOB_RUNNING = "job_running"
    JOB_WITHOUT_ADAPTER = "job_without_adapter"
    JOB_FOREIGN = "job_foreign"
    QUEUE_EMPTY = "queue_empty"
    SHUTDOWN_UNAVAILABLE = "shutdown_unavailable"
    HOST_FAILED = "host_failed"
    PROTOCOL_NEWER = "protocol_newer"
    TASK_FAILED = "task_failed"
    # a running job
    NOTHING_SUPERVISED = "nothing_supervised"
    NONFINITE_LOSS = "nonfinite_loss"
    OUT_OF_MEMORY = "out_of_memory"
    CHECKPOINT_DAMAGED = "checkpoint_damaged"
    NO_CHECKPOINT = "no_checkpoint"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    CRASHED = "crashed"
    # exports and proofs
    ARCHITECTURE_UNSUPPORTED = "architecture_unsupported"
    TOKENIZER_UNSUPPORTED = "tokenizer_unsupported"
    ADAPTER_UNSUPPORTED = "adapter_unsupported"
    ADAPTER_DAMAGED = "adapter_damaged"
    QUANT_UNSUPPORTED = "quant_unsupported"
    TEMPLATE_UNKNOWN = "template_unknown"
    BASE_CHANGED = "base_changed"
    EXPORT_UNKNOWN = "export_unknown"
    EXPORT_DAMAGED = "export_damaged"
    OUTPUT_EXISTS = "output_exists"
    OUTPUT_NOT_WRITABLE = "output_not_writable"
    LLAMA_CPP_FAILED = "llama_cpp_failed"
    NO_HELD_OUT_ROWS = "no_held_out_rows"
    CERTIFICATE_FAILED = "certificate_failed"
    REHEARSAL_FAILED = "rehearsal_failed"
    # connections to Venom servers
    CONNECTION_UNKNOWN = "connection_unknown"
    CONNECTION_EXISTS = "connection_exists"
    CONNECTION_NAME_INVALID = "connection_name_invalid"
    VENOM_URL_INVALID = "venom_url_invalid"
    VENOM_WITHOUT_FOLDER = "venom_without_folder"
    VENOM_FOLDER_MISSING = "venom_folder_missing"
    VENOM_FOLDER_NOT_WRITABLE = "venom_folder_not_writable"
    VENOM_ADAPTER_EXISTS = "venom_adapter_exists"
    VENOM_BASE_UNKNOWN = "venom_base_unknown"
    PUSH_RUNNING = "push_running"
    VENOM_UNREACHABLE = "venom_unreachable"
    VENOM_TIMEOUT = "venom_timeout"
    VENOM_NOT_VENOM = "venom_not_venom"
    VENOM_REDIRECTED = "venom_redirected"
    VENOM_TLS = "venom_tls"
    VENOM_DISABLED = "venom_disabled"
    VENOM_NOT_READY = "venom_not_ready"
    VENOM_OLDER = "venom_older"
    VENOM_REMOTE = "venom_remote"
    VENOM_REFUSED = "venom_refused"
    VENOM_REQUEST_INVALID = "venom_request_invalid"
    VENOM_BUSY = "venom_busy"
    VENOM_FAILED = "venom_failed"
    VENOM_ANSWER_INVALID = "venom_answer_invalid"
    VENOM_BASE_MISMATCH = "venom_base_mismatch"
    VENOM_MODEL_MISSING = "venom_model_missing"
    VENOM_RUNTIME_UNSUITABLE = "venom_runtime_unsuitable"
    VENOM_RUNTIME_DOWN = "venom_runtime_down"
    VENOM_METADATA_REFUSED = "venom_metadata_refused"
    VENOM_NOT_SIGNED = "venom_not_signed"
    VENOM_DEPLOY_FAILED = "venom_deploy_failed"
    VENOM_NOT_LISTED = "venom_not_listed"
    VENOM_NOT_VERIFIED = "venom_not_verified"
    VENOM_ROLLBACK_FAILED = "venom_rollback_failed"
    VENOM_NOTHING_TO_ROLL_BACK = "venom_nothing_to_roll_back"
    VENOM_ADAPTER_GONE = "venom_adapter_gone"
    VENOM_ADAPTER_IN_USE = "venom_adapter_in_use"
    VENOM_UPLOAD_DAMAGED = "venom_upload_damaged"
    VENOM_SSH_ADDRESS_INVALID = "venom_ssh_address_invalid"
    VENOM_SSH_UNREACHABLE = "venom_ssh_unreachable"
    VENOM_SSH_HOST_UNKNOWN = "venom_ssh_host_unknown"
    VENOM_SSH_HOST_CHANGED = "venom_ssh_host_changed"
    VENOM_SSH_KEY_UNREADABLE = "venom_ssh_key_unreadable"
    VENOM_SSH_PASSPHRASE_WRONG = "venom_ssh_passphrase_wrong"
    VENOM_SSH_AGENT_EMPTY = "venom_ssh_agent_empty"
    VENOM_SSH_REFUSED = "venom_ssh_refused"
    VENOM_SSH_SECRET_NEEDED = "venom_ssh_secret_needed"
    VENOM_SSH_NO_FILES = "venom_ssh_no_files"
    VENOM_SSH_LOST = "venom_ssh_lost"
    VENOM_NOT_CERTIFIED = "venom_not_certified"
    VENOM_NOT_PROVABLE = "venom_not_provable"
    VENOM_CANARY_FAILED = "venom_canary_failed"
    VENOM_OTHER_ADAPTER = "venom_other_adapter"
    VENOM_OLLAMA_UNREACHABLE = "venom_ollama_unreachable"
    VENOM_OLLAMA_INVALID = "venom_ollama_invalid"
    VENOM_OLLAMA_REFUSED = "venom_ollama_refused"
    VENOM_OLLAMA_NO_ADAPTERS = "venom_ollama_no_adapters"
    VENOM_OLLAMA_OTHER = "venom_ollama_other"
    KEYRING_MISSING = "keyring_missing"


class AcademyError(Exception):
    """An expected failure: `code` says which, `facts` are what the sentence shown to the user needs."""

    def __init__(self, code: ErrorCode, **facts: Fact) -> None:
        super().__init__(code.value, facts)
        self.code = code
        self.facts: dict[str, Fact] = facts

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.facts.items())
        return f"{self.code.value}({shown})"
