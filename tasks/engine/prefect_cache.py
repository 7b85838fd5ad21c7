"""The cache, inside Prefect's own extension points, so that Prefect itself reports `Cached`.

Prefect asks a storage whether a key exists. Ours keeps no records of its own: it looks at the
artifact, so the two cannot disagree, and a damaged artifact is a miss. Prefect takes a lock before
it asks; ours is the kernel's, so it is free the moment its holder dies.
"""

import time
from pathlib import Path
from typing import Any

from prefect.filesystems import WritableFileSystem
from prefect.locking.protocol import LockManager
from prefect.results import ResultRecord, ResultRecordMetadata  # type: ignore[attr-defined]
from prefect.serializers import JSONSerializer

from .locks import is_locked, lock_file, try_lock, unlock
from .logs import run_logger
from .manifest import Artifact
from .store import Store
from .waiting import holder as holder_of
from .waiting import sign, wait_for


def error_text(value: object) -> str:
    """Return the text of an error; what a stage returns is plain JSON."""
    if isinstance(value, BaseException):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value.")


SERIALIZER = JSONSerializer(object_encoder=f"{__name__}.{error_text.__name__}", object_decoder=None)
"""Plain JSON: Prefect's default decoder imports whatever class a record names. Of a task that
failed, Prefect writes down the error, which is no JSON."""
PLAIN = JSONSerializer(object_encoder=None, object_decoder=None)
"""What the records of artifacts say that they are written with: it names no code."""


def address(root: str, stage: str, key: str) -> str:
    """Return the name under which Prefect looks an artifact up."""
    return f"{root}/{stage}/{key}"


def _located(address: str) -> tuple[Store, str, str]:
    root, stage, key = address.rsplit("/", 2)
    return Store(Path(root)), stage, key


class ArtifactStorage(WritableFileSystem):
    """Shows Prefect the artifact store as a storage of result records."""

    _block_type_name = "Artifact storage"

    # Prefect's base class states the asynchronous form; its engine calls this one synchronously
    def read_path(self, path: str, _sync: bool = True) -> bytes:  # type: ignore[override]
        """Return the record of an artifact that is whole; raise for any other, which is a miss."""
        store, stage, key = _located(path)
        return _record(path, store.find(stage, key))

    def write_path(  # type: ignore[override]
        self, path: str, content: bytes, _sync: bool = True
    ) -> None:
        """Check that the artifact is there; the stage itself has published it.

        The result of a task that failed has no address here: Prefect keeps it in its database.
        """
        if "/" not in path:
            return
        store, stage, key = _located(path)
        store.find(stage, key)

    async def aread_path(self, path: str) -> bytes:
        """Do what `read_path` does."""
        return self.read_path(path)

    async def awrite_path(self, path: str, content: bytes) -> None:
        """Do what `write_path` does."""
        self.write_path(path, content)

    def _resolve_path(self, path: str) -> None:
        """Tell Prefect that keys are not paths of its own."""


def _record(path: str, artifact: Artifact) -> bytes:
    metadata = ResultRecordMetadata(serializer=PLAIN, storage_key=path)
    return ResultRecord(result=artifact.model_dump(), metadata=metadata).serialize()


class KernelLocks(LockManager):
    """Locks of one machine, held by the kernel (`flock`): a killed holder frees its lock at once.

    The holder deletes the file of a lock before it releases it; whoever waited on the deleted file
    notices and starts over, so no files are left behind.
    """

    def __init__(self) -> None:
        """Start without any lock."""
        self._held: dict[str, tuple[str, int]] = {}

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Take the lock of `key`, waiting as long as it takes or `acquire_timeout` seconds.

        `hold_timeout` has no meaning here: the lock ends with the process at the latest.
        """
        if self.is_lock_holder(key, holder):
            return True
        path = _lock_file(key)
        descriptor = wait_for(
            lambda: try_lock(path),
            lambda: (
                f"Waiting for {holder_of(path)}, which computes the same; its result will be "
                "used. To compute it here instead, end that process."
            ),
            run_logger().info,
            pause=0.1,
            seconds=acquire_timeout,
        )
        if descriptor is None:
            return False
        sign(descriptor)
        self._held[key] = (holder, descriptor)
        return True

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Do what `acquire_lock` does."""
        return self.acquire_lock(key, holder, acquire_timeout, hold_timeout)

    def release_lock(self, key: str, holder: str) -> None:
        """Release the lock of `key`.

        Raises:
            ValueError: If `holder` does not hold it.
        """
        if not self.is_lock_holder(key, holder):
            raise ValueError(f"{holder} does not hold the lock of {key}.")
        _, descriptor = self._held.pop(key)
        unlock(_lock_file(key), descriptor)

    def is_locked(self, key: str) -> bool:
        """Return whether any process of this machine holds the lock of `key`.

        What a task that failed leaves has a key of Prefect's own, for which there is no lock.
        """
        return key in self._held or ("/" in key and is_locked(_lock_file(key)))

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Return whether `holder`, in this process, holds the lock of `key`."""
        return self._held.get(key, (None, 0))[0] == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Wait until the lock of `key` is free, `timeout` seconds at most."""
        started = time.monotonic()
        while self.is_locked(key):
            if timeout is not None and time.monotonic() - started >= timeout:
                return False
            time.sleep(0.1)
        return True

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Do what `wait_for_lock` does."""
        return self.wait_for_lock(key, timeout)

    def __deepcopy__(self, memo: Any) -> "KernelLocks":
        """Return itself: Prefect copies policies, and a copy would not know what is held."""
        return self


def _lock_file(address: str) -> Path:
    store, stage, key = _located(address)
    return lock_file(store, stage, key)
