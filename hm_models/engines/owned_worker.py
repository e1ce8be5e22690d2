"""What vLLM imports in each worker of an engine on a checkpoint: it ties the worker to its owner.

LLM(..., worker_extension_cls="hm_models.engines.owned_worker.OwnedWorker")
"""

from hm_models.engines.owner import end_with_owner


class OwnedWorker:
    """Mixed into vLLM's worker class; the import is what counts."""


end_with_owner()
