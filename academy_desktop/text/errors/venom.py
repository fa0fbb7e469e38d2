"""Connections to Venom servers: what can fail there, in words.

Owns the English originals, marked for translation; `templates` says how facts enter them.
"""

from __future__ import annotations

from typing import Final

from academy_desktop.text.errors.error_text import ErrorText
from academy_desktop.text.marking import N_
from trainers.errors import ErrorCode

VENOM: Final = {
    ErrorCode.CONNECTION_UNKNOWN: ErrorText(
        N_("There is no such connection"),
        N_("No connection here is called[ “{connection}”|so][. Known are: {known}]."),
        N_("See all connections with “academy venom list”, or make one with “academy venom add”."),
    ),
    ErrorCode.CONNECTION_EXISTS: ErrorText(
        N_("This name is taken"),
        N_("There is a connection[ “{connection}”| of this name] already[: it leads to {url}]."),
        N_("Choose another name, or take the old one away first with “academy venom remove”."),
    ),
    ErrorCode.CONNECTION_NAME_INVALID: ErrorText(
        N_("The name cannot be used"),
        N_("[“{connection}”|This] cannot be the name of a connection."),
        N_("Use up to 64 letters, digits, dots, hyphens and underscores; begin with a letter or a digit."),
    ),
    ErrorCode.VENOM_URL_INVALID: ErrorText(
        N_("The address cannot be used"),
        N_("[“{url}”|This] is not an address at which a Venom server can be reached."),
        N_("Give one like http://127.0.0.1:8000, without a user name, a password or a question mark."),
    ),
    ErrorCode.VENOM_WITHOUT_FOLDER: ErrorText(
        N_("The connection has no models folder"),
        N_("The connection[ “{connection}”] does not say where Venom’s models folder lies."),
        N_(
            "Add it again with --models-dir and the folder that Venom calls ACADEMY_MODELS_DIR, "
            "often data/models beside Venom, or see other ways with “academy venom status”."
        ),
    ),
    ErrorCode.VENOM_FOLDER_MISSING: ErrorText(
        N_("Venom’s models folder is not there"),
        N_("[There is no folder at {path}|The models folder was not found]."),
        N_("Check the path, and whether the shared drive is connected."),
    ),
    ErrorCode.VENOM_FOLDER_NOT_WRITABLE: ErrorText(
        N_("Venom’s models folder cannot be written"),
        N_("Nothing can be written[ to {path}| to the models folder][: {detail}]."),
        N_("Give your user the right to write there and try again."),
    ),
    ErrorCode.VENOM_ADAPTER_EXISTS: ErrorText(
        N_("Another adapter has this name"),
        N_("[What lies at {path}|What lies there] is not this adapter, and is left as it is."),
        N_("Move that folder away and try again."),
    ),
    ErrorCode.VENOM_BASE_UNKNOWN: ErrorText(
        N_("Venom’s name for the base model is not known"),
        N_("It is not known what Venom calls the base model[ “{model}”][. It has: {known}]."),
        N_("Say which of the server’s models it is, for example with --model-id qwen3:0.6b."),
    ),
    ErrorCode.PUSH_RUNNING: ErrorText(
        N_("Something is being sent to Venom already"),
        N_("Another window or command is sending an adapter or rolling one back at this moment."),
        N_("Wait until it has finished and try again."),
    ),
    ErrorCode.VENOM_UNREACHABLE: ErrorText(
        N_("Venom does not answer"),
        N_("Nothing answers[ at {url}][: {detail}]."),
        N_(
            "Check that Venom runs there, and that address and port are right. "
            "If a tunnel leads to it, check that the tunnel is open."
        ),
    ),
    ErrorCode.VENOM_TIMEOUT: ErrorText(
        N_("Venom takes too long"),
        N_("The server[ at {url}] did not answer in time[ ({patience} seconds)]."),
        N_("Look whether the server is busy and the network is up, and try again."),
    ),
    ErrorCode.VENOM_NOT_VENOM: ErrorText(
        N_("This is not a Venom server"),
        N_("Something answers[ at {url}], but it is not Venom[: {detail}]."),
        N_("Check address and port: Venom’s own port is 8000 unless somebody changed it."),
    ),
    ErrorCode.VENOM_REDIRECTED: ErrorText(
        N_("The server sends us elsewhere"),
        N_("The server[ at {url}] sends requests elsewhere[, to {location}], which are not followed."),
        N_("If that is the right place, make a connection with its address."),
    ),
    ErrorCode.VENOM_TLS: ErrorText(
        N_("The secure connection failed"),
        N_("The server[ at {url}] could not prove who it is[: {detail}]."),
        N_("If it speaks plain HTTP, use http:// instead; if not, let this computer trust its certificate."),
    ),
    ErrorCode.VENOM_DISABLED: ErrorText(
        N_("Venom’s Academy is switched off"),
        N_("Venom[ at {url}] answers, but its Academy is switched off."),
        N_("Set ENABLE_ACADEMY=true on the server and start Venom again."),
    ),
    ErrorCode.VENOM_NOT_READY: ErrorText(
        N_("Venom’s Academy is not ready"),
        N_("Venom[ at {url}] answers, but its Academy did not start[: {detail}]."),
        N_("Look into Venom’s log. In a container, Venom may lack what its Academy needs."),
    ),
    ErrorCode.VENOM_OLDER: ErrorText(
        N_("This Venom is too old"),
        N_("Venom[ at {url}] lacks something that is needed here[: {missing}]."),
        N_("Update Venom on the server; versions from the middle of March 2026 on have it."),
    ),
    ErrorCode.VENOM_REMOTE: ErrorText(
        N_("Venom takes changes from its own computer only"),
        N_("Venom[ at {url}] can be looked at, but refuses changes from another computer."),
        N_(
            "Add the connection again with --ssh USER@HOST, which is the way in, or with --ollama URL where "
            "Venom’s Ollama can be reached; or use Academy Desktop on that computer."
        ),
    ),
    ErrorCode.VENOM_REFUSED: ErrorText(
        N_("Venom refused"),
        N_("Venom refused the request[ with HTTP status {status}][ ({reason})][: {detail}]."),
        N_("Look into Venom’s log for the cause, then try again."),
    ),
    ErrorCode.VENOM_REQUEST_INVALID: ErrorText(
        N_("Venom did not accept the request"),
        N_("Venom found a mistake in the request[ at “{field}”][: {detail}]."),
        N_("Check what you gave. If it is right, update Academy Desktop or Venom: they may not fit."),
    ),
    ErrorCode.VENOM_BUSY: ErrorText(
        N_("Venom wants a pause"),
        N_("Venom was asked too often and wants to be left alone[ for {pause} seconds]."),
        N_("Wait a little and try again."),
    ),
    ErrorCode.VENOM_FAILED: ErrorText(
        N_("Venom failed"),
        N_("Venom could not do what was asked[: HTTP status {status}][ ({reason})][: {detail}]."),
        N_("Look into Venom’s log for the cause, then try again."),
    ),
    ErrorCode.VENOM_ANSWER_INVALID: ErrorText(
        N_("Venom’s answer cannot be read"),
        N_("The server’s answer[ to {path}] is not what it should be[: {detail}]."),
        N_("Check that the address leads to Venom itself, and update Academy Desktop or Venom."),
    ),
    ErrorCode.VENOM_BASE_MISMATCH: ErrorText(
        N_("The base models do not fit"),
        N_(
            "Venom does not take[ {base}| the adapter’s base model] for[ {model}| the chosen model]"
            "[ ({reason})]."
        ),
        N_("Name the model that the adapter was trained on with --model-id."),
    ),
    ErrorCode.VENOM_MODEL_MISSING: ErrorText(
        N_("The server does not have the base model"),
        N_("[{runtime} on the server|The server] has no model[ “{model}”| of this name][. It has: {known}]."),
        N_("Get it there[ with “ollama pull {pull}”], or name another one with --model-id."),
    ),
    ErrorCode.VENOM_RUNTIME_UNSUITABLE: ErrorText(
        N_("This runtime takes no adapters"),
        N_(
            "[“{runtime}”|The runtime] on the server cannot be given an adapter[: {detail}]"
            "[. There are: {known}]."
        ),
        N_("Choose a local one with --runtime, such as ollama."),
    ),
    ErrorCode.VENOM_RUNTIME_DOWN: ErrorText(
        N_("The runtime on the server does not run"),
        N_("[“{runtime}”|The runtime] on the server does not answer Venom."),
        N_("Start it on the server and try again."),
    ),
    ErrorCode.VENOM_METADATA_REFUSED: ErrorText(
        N_("Venom does not trust the adapter’s description"),
        N_("Venom does not accept the file metadata.json[ of {adapter}][ ({reason})]."),
        N_("Push the adapter again: the file is written anew."),
    ),
    ErrorCode.VENOM_NOT_SIGNED: ErrorText(
        N_("The adapter is not signed for this"),
        N_("Venom misses the signature[ of {adapter}] for this runtime and model[ ({reason})]."),
        N_("Push the adapter again: it is signed on the way."),
    ),
    ErrorCode.VENOM_DEPLOY_FAILED: ErrorText(
        N_("Venom could not put the adapter to use"),
        N_(
            "The server failed while it gave[ {adapter}| the adapter] to[ {runtime}| the runtime]"
            "[ ({reason})]."
        ),
        N_("Look into Venom’s log for the cause, then push again."),
    ),
    ErrorCode.VENOM_NOT_LISTED: ErrorText(
        N_("Venom does not see the adapter"),
        N_(
            "[{path} is in place|The adapter is in place], but Venom does not list it"
            "[. It looks in {server_path}]."
        ),
        N_("Check that the models folder of the connection is the one that Venom uses (ACADEMY_MODELS_DIR)."),
    ),
    ErrorCode.VENOM_NOT_VERIFIED: ErrorText(
        N_("The adapter is not in use"),
        N_(
            "Venom said that it was done, but its chat uses[ {found}| another model], "
            "not[ {expected}| the adapter]."
        ),
        N_("Look at the active model in Venom, then push again."),
    ),
    ErrorCode.VENOM_ROLLBACK_FAILED: ErrorText(
        N_("The way back failed"),
        N_("Venom could not be brought back[ to {expected}][; it uses {found} now][: {detail}]."),
        N_("Try “academy venom rollback” again, or choose the model in Venom itself."),
    ),
    ErrorCode.VENOM_NOTHING_TO_ROLL_BACK: ErrorText(
        N_("There is nothing to roll back"),
        N_("Venom uses no adapter[ of the connection “{connection}”][: its model is {model}]."),
        N_("Nothing needs to be done."),
    ),
    ErrorCode.VENOM_ADAPTER_GONE: ErrorText(
        N_("The adapter is not there"),
        N_("The server has no adapter[ {path}| of this name]."),
        N_("See which adapters the server has with “academy venom adapters”."),
    ),
    ErrorCode.VENOM_ADAPTER_IN_USE: ErrorText(
        N_("The adapter is in use"),
        N_("Venom’s chat uses[ {adapter}| this adapter] at this moment, so it stays on the server as it is."),
        N_("Roll the server back first, then remove the adapter or send it again."),
    ),
    ErrorCode.VENOM_UPLOAD_DAMAGED: ErrorText(
        N_("The file did not arrive whole"),
        N_("What arrived[ at {path}| on the server] is not what was sent, and was taken away again."),
        N_("Send it once more. If this happens again, check the server’s disk and the network."),
    ),
    ErrorCode.VENOM_SSH_ADDRESS_INVALID: ErrorText(
        N_("The SSH address cannot be used"),
        N_("[“{address}”|This] does not say who logs in where."),
        N_("Give a user and a computer, such as ada@venom.home, or ada@venom.home:2222 with a port."),
    ),
    ErrorCode.VENOM_SSH_UNREACHABLE: ErrorText(
        N_("The computer does not answer over SSH"),
        N_("No SSH server answers[ at {host}][: {detail}]."),
        N_("Check that the computer is on, that its SSH server runs, and that name and port are right."),
    ),
    ErrorCode.VENOM_SSH_HOST_UNKNOWN: ErrorText(
        N_("The computer is not known yet"),
        N_("[{host}|The computer] shows a key that nobody has confirmed yet[: {fingerprint}]."),
        N_(
            "Compare it with what “ssh-keygen -lf” prints there of the files /etc/ssh/ssh_host_*_key.pub. "
            "If it is the same, trust it: in the connection’s window, or with --trust and the fingerprint."
        ),
    ),
    ErrorCode.VENOM_SSH_HOST_CHANGED: ErrorText(
        N_("The computer shows another key than before"),
        N_(
            "[{host}|The computer] shows the key[ {fingerprint}| of a stranger], and not the one that was "
            "confirmed[, {known}]. Nothing was sent, no password either."
        ),
        N_(
            "If the computer was set up anew, that is why: compare the key there and trust it again. "
            "If not, somebody may have come between: do not go on."
        ),
    ),
    ErrorCode.VENOM_SSH_KEY_UNREADABLE: ErrorText(
        N_("The key file cannot be used"),
        N_("[{path}|The key file] cannot be used as a private key[: {detail}]."),
        N_("Choose the private key, often ~/.ssh/id_ed25519; the file whose name ends in “pub” is another."),
    ),
    ErrorCode.VENOM_SSH_PASSPHRASE_WRONG: ErrorText(
        N_("The passphrase is wrong"),
        N_("The passphrase does not open the key file[ {path}]."),
        N_("Type it again: with “academy venom secret NAME”, or in the connection’s window."),
    ),
    ErrorCode.VENOM_SSH_AGENT_EMPTY: ErrorText(
        N_("The SSH agent has no key"),
        N_("The SSH agent of this computer cannot help[: {detail}]."),
        N_("Give it your key with “ssh-add”, or choose a key file for the connection."),
    ),
    ErrorCode.VENOM_SSH_REFUSED: ErrorText(
        N_("The computer does not let you in"),
        N_("[{host}|The computer] does not let[ {user}| this user] in[ by {method}]."),
        N_(
            "Check the user’s name and the password. For a key, add its public half to "
            "~/.ssh/authorized_keys there, for example with “ssh-copy-id”."
        ),
    ),
    ErrorCode.VENOM_SSH_SECRET_NEEDED: ErrorText(
        N_("A password is needed"),
        N_("The password or passphrase[ for {address}] is not known on this computer."),
        N_("Type it: with “academy venom secret NAME”, or in the connection’s window."),
    ),
    ErrorCode.VENOM_SSH_NO_FILES: ErrorText(
        N_("The computer takes no files over SSH"),
        N_("[{host}|The computer] lets you in, but its SSH server has no SFTP."),
        N_("Switch SFTP on there: “Subsystem sftp internal-sftp” in /etc/ssh/sshd_config."),
    ),
    ErrorCode.VENOM_SSH_LOST: ErrorText(
        N_("The connection broke off"),
        N_("The SSH connection[ to {host}] broke off several times[: {detail}]."),
        N_("Check the network and do the same again: what has arrived is not sent twice."),
    ),
    ErrorCode.KEYRING_MISSING: ErrorText(
        N_("There is no keyring for the password"),
        N_("This computer has no keyring that could keep a secret, and it is kept nowhere else."),
        N_("Go on and type it each time, or use an SSH agent, which asks for it once."),
    ),
}
