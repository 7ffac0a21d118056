"""The names COCO gives to things: categories, and the points of a body and of a face."""

from __future__ import annotations

__all__ = ["BODY", "BODY_SKELETON", "CATEGORIES", "FACE", "category_id", "point_names"]

_SIDES = ("left", "right")
BODY = [
    "nose",
    *(
        f"{side}_{part}"
        for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in _SIDES
    ),
]
"""COCO's 17 keypoints of a person, in order (person_keypoints_*.json). Left is the person's own left."""

BODY_SKELETON = [
    [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9],
    [8, 10], [9, 11], [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
]  # fmt: skip
"""COCO's skeleton: pairs of keypoints, counted from 1."""

FACE = ["right_eye", "left_eye", "nose", "right_mouth_corner", "left_mouth_corner"]
"""The five landmarks of a `Face`, in order."""

_COCO = (
    "1 person 2 bicycle 3 car 4 motorcycle 5 airplane 6 bus 7 train 8 truck 9 boat 10 traffic_light 11 fire_hydrant "
    "13 stop_sign 14 parking_meter 15 bench 16 bird 17 cat 18 dog 19 horse 20 sheep 21 cow 22 elephant 23 bear "
    "24 zebra 25 giraffe 27 backpack 28 umbrella 31 handbag 32 tie 33 suitcase 34 frisbee 35 skis 36 snowboard "
    "37 sports_ball 38 kite 39 baseball_bat 40 baseball_glove 41 skateboard 42 surfboard 43 tennis_racket 44 bottle "
    "46 wine_glass 47 cup 48 fork 49 knife 50 spoon 51 bowl 52 banana 53 apple 54 sandwich 55 orange 56 broccoli "
    "57 carrot 58 hot_dog 59 pizza 60 donut 61 cake 62 chair 63 couch 64 potted_plant 65 bed 67 dining_table "
    "70 toilet 72 tv 73 laptop 74 mouse 75 remote 76 keyboard 77 cell_phone 78 microwave 79 oven 80 toaster 81 sink "
    "82 refrigerator 84 book 85 clock 86 vase 87 scissors 88 teddy_bear 89 hair_drier 90 toothbrush"
)
CATEGORIES = {name.replace("_", " "): int(n) for n, name in zip(_COCO.split()[::2], _COCO.split()[1::2], strict=True)}
"""COCO's category numbers (instances_*2017.json), which have gaps."""

FACE_CATEGORY = 100
_FIRST_OTHER = 101


def category_id(label: str, others: dict[str, int]) -> int:
    """COCO's own number where it has one, 100 for faces, else the next above; ``others`` keeps those given."""
    if label == "face":
        return FACE_CATEGORY
    if label in CATEGORIES:
        return CATEGORIES[label]
    return others.setdefault(label, _FIRST_OTHER + len(others))


def point_names(count: int, *, face: bool = False) -> list[str]:
    """The names of ``count`` points: COCO's for 17, those of a `Face` for its five, else numbers from 0."""
    if face and count == len(FACE):
        return list(FACE)
    return list(BODY) if count == len(BODY) else [str(n) for n in range(count)]
