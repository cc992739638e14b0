"""Films of one person as truth: a frame is redrawn as others of the film are, or an avatar of some views in another.

Self-reenactment: the appearance comes from the film's quietest frontal frame alone, the pose and the expression from the fit of
the whole film, or the mesh from the other frame's landmarks. Held-out view: an avatar of frames within 10 degrees of the front is
drawn into frames beyond 20.
Both are compared on the face: beside it the drawn picture is given the true pixels, so that hair and background do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...data_gen.fit.photo import FilmFit, FittedPhoto
from ...face.avatar.build import Avatar, build, redrawn
from ...face.avatar.project import Regions, Seen, look
from ...face.avatar.views import View, on_points
from ...face.photo.warp import PhotoFace
from ...face.render.atlas import Atlas
from ...face.render.shading import srgb

Rgb = NDArray[np.uint8]
Array = NDArray[np.float32]

TEXTURE = 1024
NEAR, FAR = 10.0, 20.0
"""Degrees from the camera within which views are given, and beyond which they are held out."""
_APART = 3
"""Frames between two that are compared, at least."""
_MARGIN = 6
"""px around the face that are compared as well."""
_INNER = ("teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue", "mouth_inside", "eyeball_left", "eyeball_right")


@dataclass(frozen=True, eq=False)
class Pair:
    """A picture drawn on the face, true beside it.

    Attributes:
        drawn, true: ``(H,W,3)``.
        face: (H,W) where it was drawn.
        points: ``(478,2)`` px of the true face.
    """

    drawn: Rgb
    true: Rgb
    face: NDArray[np.bool_]
    points: Array

    @property
    def box(self) -> tuple[slice, slice]:
        """The face with a narrow margin."""
        rows, columns = np.flatnonzero(self.face.any(1)), np.flatnonzero(self.face.any(0))
        return (slice(max(int(rows[0]) - _MARGIN, 0), int(rows[-1]) + _MARGIN + 1),
                slice(max(int(columns[0]) - _MARGIN, 0), int(columns[-1]) + _MARGIN + 1))


class Subject:
    """One film's person, as some of its frames show it.

    Args:
        film: the fitted film.
        sources: frames that the appearance comes from, the first one in front.
    """

    def __init__(self, film: FilmFit, sources: NDArray[np.int64]) -> None:
        self.film, self.fit = film, film.person(sources)
        own = self.fit.photos[0]
        turn = turn_of(own)
        vertices = self.fit.vertices(0)
        self.offset = (on_points(vertices, own.points, own.camera, turn) - vertices) @ turn
        """(V,3) m in the head's axes: what the first source's landmarks are off the mesh."""

    def at(self, photo: FittedPhoto) -> Array:
        """``(V,3)`` m in the camera's frame: the person in another frame's pose and expression."""
        rows = photo.pose.parameters(slice(0, 1))
        vertices = self.fit.head.vertices(**rows)[0]
        return np.asarray(vertices + self.offset @ turn_of(photo).T, np.float32)

    @cached_property
    def photo(self) -> PhotoFace:
        """The first source, ready to be drawn in other poses."""
        own = self.fit.photos[0]
        return PhotoFace(own.picture.rgb, self.fit.head, self.at(own), own.camera, own.pose.expr[0])

    @cached_property
    def avatar(self) -> Avatar:
        """The avatar of all sources."""
        views = [self._view(p, on_points(self.fit.vertices(k), p.points, p.camera, turn_of(p)))
                 for k, p in enumerate(self.fit.photos)]
        return build(self.fit.head, views, TEXTURE, hair=False)

    @staticmethod
    def _view(photo: FittedPhoto, vertices: Array) -> View:
        return View.of(photo.picture.rgb, photo.person, photo.camera, vertices, turn_of(photo), TEXTURE, photo.picture.name)

    def moved(self, photo: FittedPhoto) -> Pair:
        """The first source's pixels moved to where another frame has them."""
        drawn = self.photo.draw(self.at(photo), photo.pose.expr[0])
        return self._pair(drawn.rgb, self._whole(photo), photo)

    def moved_onto(self, photo: FittedPhoto) -> Pair:
        """The same, with the mesh drawn onto the landmarks of the other frame: what the parameters leave of them goes."""
        vertices = on_points(self.at(photo), photo.points, photo.camera, turn_of(photo))
        return self._pair(self.photo.draw(vertices, photo.pose.expr[0]).rgb, self._whole(photo), photo)

    def still(self, photo: FittedPhoto) -> Pair:
        """The first source as it is, in another frame's place: what doing nothing gives."""
        return self._pair(self.fit.photos[0].picture.rgb, self._whole(photo), photo)

    def _whole(self, photo: FittedPhoto) -> View:
        return View(photo.picture.rgb, photo.person, self.at(photo), turn_of(photo), photo.camera.focal,
                    np.asarray(photo.camera.centre, np.float32))

    def avatar_drawn(self, photo: FittedPhoto) -> Pair:
        """The avatar drawn as another frame is, in the light of the first source."""
        view = self._view(photo, self.at(photo))
        head = self.avatar.head
        linear, _, _ = redrawn(head, view, self._light, self._atlas, self._regions)
        return self._pair(srgb(linear), view, photo)

    def _pair(self, picture: Rgb, view: View, photo: FittedPhoto) -> Pair:
        _, face, _ = view.buffer(self._atlas.faces)
        mask = (face >= 0) & self._drawn_faces[np.maximum(face, 0)]
        points = (photo.points - photo.camera.centre) * (view.focal / photo.camera.focal) + view.centre
        return Pair(np.where(mask[..., None], picture, view.rgb), view.rgb, mask, points.astype(np.float32))

    @cached_property
    def _atlas(self) -> Atlas:
        return Atlas(self.fit.head, TEXTURE)

    @cached_property
    def _regions(self) -> Regions:
        return Regions.of(self.fit.head, self._atlas)

    @cached_property
    def _light(self) -> Seen:
        own = self.fit.photos[0]
        return look(self._view(own, self.at(own)), self.fit.head, self._atlas, self._regions)

    @cached_property
    def _drawn_faces(self) -> NDArray[np.bool_]:
        """(F,) which faces of the mesh are of the face or seen within it."""
        masks = self.fit.head.masks
        faces = self._atlas.faces
        inner = np.concatenate([masks[n] for n in _INNER])
        return np.asarray(np.isin(faces, masks["face"]).all(1) | np.isin(faces, inner).any(1))


def turn_of(photo: FittedPhoto) -> Array:
    """(3,3) rotation of the head into the camera's frame."""
    return np.asarray(Rotation.from_rotvec(photo.pose.rotation[0]).as_matrix(), np.float32)


def spread_out(film: FilmFit, first: int, count: int, among: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """(N,) frames, of all or ``among`` some, whose expressions and poses differ most from the first and from one another.

    (Farthest point sampling.)
    """
    seq = film.result.seq
    known = np.union1d(film.known if among is None else among, [first])
    rows = np.concatenate([seq.expr, 2 * seq.jaw_pose, 2 * seq.rotation], 1)
    rows = rows[known]
    far = np.linalg.norm(rows - rows[np.searchsorted(known, first)], axis=1)
    chosen: list[int] = []
    while len(chosen) < min(count, len(known) - 1):
        k = int(np.argmax(far))
        chosen.append(int(known[k]))
        far = np.minimum(far, np.linalg.norm(rows - rows[k], axis=1))
        far[np.abs(known - known[k]) < _APART] = 0
        if far.max() <= 0:
            break
    return np.sort(np.array(chosen, np.int64))
