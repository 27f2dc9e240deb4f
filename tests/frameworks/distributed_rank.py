"""One rank of a distributed checkpoint: distributed_rank.py save|check DIRECTORY RANKS RANK."""
import pathlib
import sys

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as checkpoint
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor


def sharded_state(mesh, fill):
    torch.manual_seed(11)
    full = torch.randn(1024, 512) if fill else torch.zeros(1024, 512)
    return {"weight": distribute_tensor(full, mesh, [Shard(0)]), "step": torch.tensor(12 if fill else 0)}


def main():
    action, directory, rank_count, rank = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    meeting_place = pathlib.Path(directory + f".{action}.meeting")  # in the mount too: it is locked and appended to
    dist.init_process_group("gloo", store=dist.FileStore(str(meeting_place), rank_count), rank=rank,
                            world_size=rank_count)
    mesh = init_device_mesh("cpu", (rank_count,))
    if action == "save":
        checkpoint.save(sharded_state(mesh, True), checkpoint_id=directory)
    else:
        state, expected = sharded_state(mesh, False), sharded_state(mesh, True)
        checkpoint.load(state, checkpoint_id=directory)
        assert torch.equal(state["weight"].to_local(), expected["weight"].to_local())
        assert state["step"] == expected["step"]
    dist.barrier()
    dist.destroy_process_group()
    if rank == 0:
        meeting_place.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
