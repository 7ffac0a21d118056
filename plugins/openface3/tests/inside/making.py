"""Run by the plugin's own interpreter: checkpoints of the real networks with random numbers, in the real formats.

``python making.py FOLDER PICTURES.npz``; ``threshold.json``: a score that two places in each picture reach;
``drawn.json``: one for the pictures of the clips of the contract.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
from pathlib import Path

import numpy as np
import torch
from openface.model.MTL import MTL
from openface.Pytorch_Retinaface.data import cfg_mnet
from openface.Pytorch_Retinaface.models.net import MobileNetV1
from openface.Pytorch_Retinaface.models.retinaface import RetinaFace
from openface.STAR.conf import Alignment
from openface.STAR.lib import utility

from videoannotator.testing.clips import draw
from videoannotator_openface3.networks import Detector


def main(folder: Path, pictures: Path) -> None:
    torch.manual_seed(7)
    retina = RetinaFace(cfg={**cfg_mnet, "pretrain": False}, phase="test")
    for head in retina.ClassHead:  # so that scores differ from place to place
        torch.nn.init.normal_(head.conv1x1.weight, std=0.2)
    _use(retina, torch.randn(2, 3, 160, 160) * 60)
    parallel = {f"module.{name}": value for name, value in retina.state_dict().items()}
    torch.save(parallel, folder / "Alignment_RetinaFace.pth", _use_new_zipfile_serialization=False)

    backbone = {f"module.{name}": value for name, value in MobileNetV1().state_dict().items()}
    (folder / "weights").mkdir()
    torch.save({"state_dict": backbone}, folder / "weights" / "mobilenetV1X0.25_pretrain.tar")

    multitask = MTL()
    _use(multitask, torch.randn(4, 3, 224, 224))
    torch.save(multitask.state_dict(), folder / "MTL_backbone.pth")

    star = utility.get_net(Alignment(argparse.Namespace(config_name="alignment", device_id=-1)))
    counted = {"milestones": collections.Counter({200: 1, 350: 1, 450: 1}), "gamma": 0.1, "last_epoch": 3}
    whole = {"net": star.state_dict(), "optimizer": {"state": {}}, "scheduler": counted, "epoch": 3}
    torch.save(whole, folder / "Landmark_98.pkl", _use_new_zipfile_serialization=False)

    detector = Detector(folder / "Alignment_RetinaFace.pth")
    drawn = np.stack(
        [draw(number, 160, 120)[..., ::-1] for number in range(0, 12, 3)]
    )  # the contract's clips show these
    for name, shown in (("threshold", np.load(pictures)["pictures"]), ("drawn", drawn)):
        found = detector(np.ascontiguousarray(shown), threshold=0.02, overlap=0.4)
        thirds = [float((one.scores[1] + one.scores[2]) / 2) for one in found]
        (folder / f"{name}.json").write_text(json.dumps(float(np.median(thirds))))


def _use(network: torch.nn.Module, pictures: torch.Tensor) -> None:
    """Let the running means be those of something, as they are after training."""
    network.train()
    for part in network.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.momentum = None  # the plain mean of all that it sees
            part.reset_running_stats()
    with torch.no_grad():
        network(pictures)
    network.eval()


main(Path(sys.argv[1]), Path(sys.argv[2]))
