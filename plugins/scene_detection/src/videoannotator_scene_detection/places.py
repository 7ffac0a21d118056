"""Labels for where people are filmed: homes, clinics, classrooms, outdoors.

Words of the kind that Places365 (Zhou et al., 2018) and SUN397 (Xiao et al., 2010) use for scenes, as one says them in
the sentence "a photo of a ...".
"""

from __future__ import annotations

__all__ = ["PLACES"]

PLACES = (
    # homes
    "living room",
    "kitchen",
    "dining room",
    "bedroom",
    "child's room",
    "nursery",
    "playroom",
    "bathroom",
    "home office",
    "hallway",
    "garage",
    # clinics and laboratories
    "hospital room",
    "doctor's office",
    "waiting room",
    "therapy room",
    "laboratory",
    "observation room with a one-way mirror",
    # classrooms and work
    "classroom",
    "kindergarten classroom",
    "library",
    "gymnasium",
    "office",
    "conference room",
    "lecture hall",
    "stage",
    "shop",
    "restaurant",
    "inside of a car",
    # outdoors
    "garden",
    "playground",
    "park",
    "street",
    "beach",
    # no place
    "plain wall or curtain",
    "screen with text",
)
