"""facelm for Blender: import clips at the scene's rate, and perform words by the local server.

Install: Edit > Preferences > Add-ons > Install from Disk, choose this file. Blender 4.2 and later.

- File > Import > facelm clip: a GLB of `facelm export` brings its own head; an ARKit JSON (`facelm export clip.npz -o clip.json`,
  BEAT and LAM, Audio2Face) is keyed on the active mesh, which needs shape keys with ARKit's names in any spelling.
- The tab "facelm" in the sidebar of the 3D view: words to motion by `facelm serve` on this computer.

Keys lie on whole frames: by default the scene takes the clip's rate; otherwise the clip is resampled to the scene's.
"""

import json
import re
import struct
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

bl_info = {"name": "facelm", "author": "facelm", "version": (0, 1, 0), "blender": (4, 2, 0), "category": "Import-Export",
           "location": "File > Import, 3D View > facelm", "description": "Face motion clips, and words to face motion"}

try:
    import bpy
    from bpy.props import BoolProperty, StringProperty
    from bpy_extras.io_utils import ImportHelper
except ImportError:  # outside Blender the functions of the first part still work
    bpy = None

Frames = dict[str, list[float]]


# -- without Blender ----------------------------------------------------------------------
def plain(name: str) -> str:
    """One spelling of a shape's name: `EyeBlink_L`, `eyeBlinkLeft` and `eye_blink_left` are one."""
    name = re.sub(r"[_\-. ][lL]$", "Left", name)
    name = re.sub(r"[_\-. ][rR]$", "Right", name)
    return re.sub(r"[^a-z]", "", name.lower())


def read_weights(text: str) -> tuple[float, Frames]:
    """Rate and weights by name of an ARKit JSON, a names and weights JSON or an Audio2Face JSON.

    Raises:
        ValueError: it is none of them.
    """
    try:
        data = json.loads(text)
        if "weightMat" in data:
            return float(data["exportFps"]), _columns(data["facsNames"], data["weightMat"])
        frames = data["frames"]
        fps = float(data.get("fps") or data.get("metadata", {}).get("fps") or _rate([f["time"] for f in frames]))
        if "names" in data:
            return fps, _columns(data["names"], [f["weights"] for f in frames])
        names = list(frames[0]["blendshapes"])
        return fps, _columns(names, [[f["blendshapes"].get(n, 0.0) for n in names] for f in frames])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, ZeroDivisionError) as err:
        raise ValueError(f"no blend-shape animation ({type(err).__name__}: {err}); make one with: facelm export clip.npz -o "
                         "clip.json") from None


def _rate(times: list[float]) -> float:
    return (len(times) - 1) / (times[-1] - times[0])


def _columns(names: list[str], rows: list[list[float]]) -> Frames:
    if not rows or any(len(row) != len(names) for row in rows):
        raise ValueError(f"{len(rows)} frames of {len(names)} names do not fit together")
    return {str(n): [float(row[k]) for row in rows] for k, n in enumerate(names)}


def glb_rate(data: bytes) -> float | None:
    """Frames a second that a GLB of facelm states; None where it states none."""
    size, = struct.unpack_from("<I", data, 12)
    scene = json.loads(data[20:20 + size]).get("scenes", [{}])[0]
    rate = scene.get("extras", {}).get("fps")
    return float(rate) if isinstance(rate, (int, float)) and rate > 0 else None


def resampled(values: list[float], fps: float, to: float) -> list[float]:
    """The same curve at another rate, linear between frames."""
    count = max(1, round((len(values) - 1) * to / fps) + 1)
    out = []
    for k in range(count):
        at = min(k * fps / to, len(values) - 1)
        low = min(int(at), len(values) - 1)
        high = min(low + 1, len(values) - 1)
        out.append(values[low] + (at - low) * (values[high] - values[low]))
    return out


def matched(keys: list[str], names: list[str]) -> dict[str, str]:
    """Name in the clip -> shape key, whatever the spelling."""
    have = {plain(k): k for k in keys}
    return {n: have[plain(n)] for n in names if plain(n) in have}


def scene_rate(fps: float) -> tuple[int, float]:
    """Blender's `fps` and `fps_base` for a rate: 29.97 is 30 / 1.001."""
    whole = max(1, round(fps))
    return whole, whole / fps


def is_local(url: str) -> bool:
    """Whether an address is this computer's."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def perform(url: str, words: str, kind: str, token: str = "", timeout: float = 600.0) -> tuple[str, bytes]:
    """Let the server perform words; its answer, and the clip as a file of a kind (`glb` or `json`).

    Raises:
        ValueError: the address is no http address, nobody answers, or the server cannot do it; one line.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"the server's address is {url!r}; wanted: http://127.0.0.1:8321")

    def ask(path: str, body: dict[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        request = urllib.request.Request(url.rstrip("/") + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as err:
            try:
                why = json.loads(err.read())["error"]
            except (ValueError, KeyError):
                why = str(err)
            raise ValueError(f"the server refuses: {why}") from None
        except OSError as err:
            why = getattr(err, "reason", err)
            raise ValueError(f"nobody answers at {url} ({why}); start the server with: facelm serve") from None

    session = json.loads(ask("/api/sessions", {}))["name"]
    reply = json.loads(ask(f"/api/sessions/{quote(session)}/say", {"text": words}))
    if not reply.get("clip"):
        raise ValueError(str(reply.get("answer") or "the server made no clip of that"))
    clip = reply["clip"]["id"]
    return str(reply.get("answer", "")), ask(f"/api/sessions/{quote(session)}/clips/{clip}/export/clip.{kind}")


# -- in Blender ---------------------------------------------------------------------------
def curves_of(action: Any) -> list[Any]:
    """All F-curves of an action, in the layers of Blender 4.4 and later or without them."""
    if hasattr(action, "layers") and len(action.layers):
        return [c for layer in action.layers for strip in layer.strips for bag in strip.channelbags for c in bag.fcurves]
    return list(getattr(action, "fcurves", []))


def set_rate(scene: Any, fps: float) -> None:
    """Give the scene a clip's rate."""
    scene.render.fps, scene.render.fps_base = scene_rate(fps)


def rate_of(scene: Any) -> float:
    """The scene's frames a second."""
    return float(scene.render.fps / scene.render.fps_base)


def onto_whole_frames(action: Any, first: int = 0) -> None:
    """Replace keys between frames by ones on every whole frame, with the values that the curves have there."""
    for curve in curves_of(action):
        last = curve.keyframe_points[-1].co[0]
        frames = list(range(first, round(last) + 1))
        values = [curve.evaluate(k) for k in frames]
        curve.keyframe_points.clear()
        curve.keyframe_points.add(len(frames))
        curve.keyframe_points.foreach_set("co", [v for pair in zip(frames, values, strict=True) for v in pair])
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
        curve.update()


def import_glb(context: Any, path: str, take_rate: bool = True) -> tuple[float, list[Any]]:
    """Import a GLB; the rate of the scene, and the objects that came."""
    fps, scene = glb_rate(Path(path).read_bytes()), context.scene
    if take_rate and fps:
        set_rate(scene, fps)
    before, actions = set(bpy.data.objects), set(bpy.data.actions)
    bpy.ops.import_scene.gltf(filepath=path)
    made = [a for a in bpy.data.actions if a not in actions]
    for action in made:
        if not take_rate:
            onto_whole_frames(action)
    if made:
        scene.frame_start, scene.frame_end = 0, round(max(a.frame_range[1] for a in made))
    return rate_of(scene), [o for o in bpy.data.objects if o not in before]


def key_weights(context: Any, mesh: Any, fps: float, weights: Frames, name: str, take_rate: bool = True) -> list[str]:
    """Key weights on a mesh's shape keys from frame 0; the names that it has no key for.

    Raises:
        ValueError: the mesh has no shape keys of these names.
    """
    keys = mesh.data.shape_keys if mesh is not None and mesh.type == "MESH" else None
    pairs = matched([k.name for k in keys.key_blocks], list(weights)) if keys else {}
    if not pairs:
        raise ValueError("select a mesh that has shape keys with ARKit's names (jawOpen, eyeBlinkLeft ...)")
    scene = context.scene
    if take_rate:
        set_rate(scene, fps)
    to, last = rate_of(scene), 0
    if keys.animation_data is None:
        keys.animation_data_create()
    keys.animation_data.action = bpy.data.actions.new(name)
    for one, key in pairs.items():
        block = keys.key_blocks[key]
        values = resampled(weights[one], fps, to)
        block.slider_min, block.slider_max = min(0.0, block.slider_min, *values), max(1.0, block.slider_max, *values)
        block.value = values[0]
        block.keyframe_insert("value", frame=0)
        curve = next(c for c in curves_of(keys.animation_data.action) if c.data_path == f'key_blocks["{key}"].value')
        curve.keyframe_points.clear()
        curve.keyframe_points.add(len(values))
        curve.keyframe_points.foreach_set("co", [v for k, value in enumerate(values) for v in (k, value)])
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
        curve.update()
        last = max(last, len(values) - 1)
    scene.frame_start, scene.frame_end = 0, last
    return [n for n in weights if n not in pairs]


def import_file(context: Any, path: str, take_rate: bool = True) -> str:
    """Import a clip file, by its ending; what was done, in one line.

    Raises:
        ValueError: it cannot be imported.
    """
    if path.lower().endswith(".glb"):
        fps, made = import_glb(context, path, take_rate)
        return f"{len(made)} objects at {fps:g} frames a second"
    fps, weights = read_weights(Path(path).read_text(encoding="utf-8"))
    missing = key_weights(context, context.active_object, fps, weights, Path(path).stem, take_rate)
    return f"{len(weights) - len(missing)} shape keys keyed" + (f"; the mesh has no {', '.join(missing)}" if missing else "")


if bpy is not None:
    class FACELM_OT_import(bpy.types.Operator, ImportHelper):
        """Import a clip: a GLB, or an ARKit JSON onto the active mesh."""

        bl_idname, bl_label, bl_options = "import_scene.facelm", "facelm clip", {"REGISTER", "UNDO"}
        filter_glob: StringProperty(default="*.glb;*.json", options={"HIDDEN"})
        take_rate: BoolProperty(name="Scene takes the clip's rate", default=True,
                                description="Otherwise the clip is resampled to the scene's rate")

        def execute(self, context: Any) -> set[str]:
            """Import it."""
            try:
                self.report({"INFO"}, import_file(context, self.filepath, self.take_rate))
            except (ValueError, OSError, RuntimeError) as err:
                self.report({"ERROR"}, str(err))
                return {"CANCELLED"}
            return {"FINISHED"}

    class FACELM_OT_perform(bpy.types.Operator):
        """Let the local facelm server perform the words, and import the clip."""

        bl_idname, bl_label, bl_options = "facelm.perform", "Perform", {"REGISTER", "UNDO"}
        def _start(self, context: Any) -> bool:
            scene, mesh = context.scene, context.active_object
            if not is_local(scene.facelm_url) and not getattr(bpy.app, "online_access", True):
                self.report({"ERROR"}, "the server is on another computer, and online access is off in the preferences")
                return False
            keys = mesh.data.shape_keys if mesh is not None and mesh.type == "MESH" else None
            on_mesh = bool(keys) and len(matched([k.name for k in keys.key_blocks], ["jawOpen", "eyeBlinkLeft"])) == 2
            self._kind = "json" if on_mesh and not scene.facelm_own_head else "glb"
            self._given: tuple[str, bytes] | None = None
            self._error = ""
            asked = scene.facelm_url, scene.facelm_words, self._kind, scene.facelm_token

            def work() -> None:
                try:
                    self._given = perform(*asked)
                except ValueError as err:
                    self._error = str(err)

            self._thread = threading.Thread(target=work, daemon=True)
            self._thread.start()
            return True

        def _finish(self, context: Any) -> set[str]:
            if self._given is None:
                self.report({"ERROR"}, self._error)
                return {"CANCELLED"}
            answer, data = self._given
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"{re.sub(r'[^A-Za-z0-9]+', '_', context.scene.facelm_words)[:40] or 'clip'}.{self._kind}"
                path.write_bytes(data)
                try:
                    import_file(context, str(path), context.scene.facelm_take_rate)
                except (ValueError, RuntimeError) as err:
                    self.report({"ERROR"}, str(err))
                    return {"CANCELLED"}
            self.report({"INFO"}, answer or "done")
            return {"FINISHED"}

        def execute(self, context: Any) -> set[str]:
            """Wait for the server; for scripts."""
            if not self._start(context):
                return {"CANCELLED"}
            self._thread.join()
            return self._finish(context)

        def invoke(self, context: Any, event: Any) -> set[str]:
            """Ask in the background, so that Blender stays usable."""
            if not self._start(context):
                return {"CANCELLED"}
            self._timer = context.window_manager.event_timer_add(0.2, window=context.window)
            context.window_manager.modal_handler_add(self)
            return {"RUNNING_MODAL"}

        def modal(self, context: Any, event: Any) -> set[str]:
            """Look whether the server has answered."""
            if event.type != "TIMER" or self._thread.is_alive():
                return {"PASS_THROUGH"}
            context.window_manager.event_timer_remove(self._timer)
            return self._finish(context)

    class FACELM_PT_panel(bpy.types.Panel):
        """The sidebar's tab."""

        bl_label, bl_idname, bl_space_type, bl_region_type, bl_category = "facelm", "FACELM_PT_panel", "VIEW_3D", "UI", "facelm"

        def draw(self, context: Any) -> None:
            """Lay it out."""
            layout, scene = self.layout, context.scene
            layout.prop(scene, "facelm_words", text="")
            layout.operator("facelm.perform", icon="PLAY")
            layout.prop(scene, "facelm_own_head")
            layout.prop(scene, "facelm_take_rate")
            layout.prop(scene, "facelm_url")
            layout.prop(scene, "facelm_token")
            layout.operator("import_scene.facelm", text="Import a clip", icon="IMPORT")

    _CLASSES = (FACELM_OT_import, FACELM_OT_perform, FACELM_PT_panel)
    _PROPERTIES = {
        "facelm_words": StringProperty(name="Words", default="She smiles, then nods twice.", description="What the face does"),
        "facelm_url": StringProperty(name="Server", default="http://127.0.0.1:8321", description="Where `facelm serve` listens"),
        "facelm_token": StringProperty(name="Token", subtype="PASSWORD", description="Of a server that asks for one"),
        "facelm_own_head": BoolProperty(name="On a head of its own", default=False,
                                        description="Import facelm's head even where the active mesh has ARKit shape keys"),
        "facelm_take_rate": BoolProperty(name="Scene takes the clip's rate", default=True)}

    def _menu(self: Any, context: Any) -> None:
        self.layout.operator("import_scene.facelm", text="facelm clip (.glb, .json)")

    def register() -> None:
        """Called by Blender when the add-on is switched on."""
        for cls in _CLASSES:
            bpy.utils.register_class(cls)
        for name, prop in _PROPERTIES.items():
            setattr(bpy.types.Scene, name, prop)
        bpy.types.TOPBAR_MT_file_import.append(_menu)

    def unregister() -> None:
        """Called by Blender when the add-on is switched off."""
        bpy.types.TOPBAR_MT_file_import.remove(_menu)
        for name in _PROPERTIES:
            delattr(bpy.types.Scene, name)
        for cls in reversed(_CLASSES):
            bpy.utils.unregister_class(cls)

    if __name__ == "__main__":
        register()
