"""An encode on a cluster of three machines, one of which is lost on the way: SOURCE STORE, in a process of its own."""

import sys

import ray
from ray.cluster_utils import Cluster

from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.ray.engine import encode_on_ray

STORE_BYTES = 100_000_000


def main(source, store):
    own = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **own})
    machines = [cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)

    def lose(done, total):
        if done > total / 3 and len(machines) > 1:
            cluster.remove_node(machines.pop(), allow_graceful=False)

    try:
        # The fit counts as progress, too: with a codec there is none.
        encode_on_ray(
            source, store, EncodeOptions(codec=f"{source}.codec", refit=False, chunk_rows=256), lose, workers=2
        )
        print(f"machines left: {len(machines)}")  # Ray writes here, too
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
