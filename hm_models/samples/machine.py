"""Arguments of a model that say where and how fast it runs, never what it computes.

    >>> {"alpha": 0.7, "max_num_seqs": 8}.keys() - ABOUT_THE_MACHINE
    {'alpha'}

They can change the rounding, so answers outlive another machine; every other argument makes another model.
"""

ABOUT_THE_MACHINE = frozenset(
    (
        *("batch_size", "max_batch_size", "max_num_seqs", "max_num_batched_tokens"),
        *("device", "device_map_option", "parallelize", "gpus"),
        *("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"),
        *("distributed_executor_backend", "disable_custom_all_reduce"),
        *("offload_folder", "max_cpu_memory", "max_memory_per_gpu", "swap_space", "cpu_offload_gb"),
        *("gpu_memory_utilization", "kv_cache_memory_bytes", "num_gpu_blocks_override"),
        *("enable_chunked_prefill", "enable_prefix_caching", "enforce_eager", "compilation_config"),
        *("block_size", "attn_implementation", "attention_backend", "disable_log_stats", "seed"),
    )
)
