// One head: the GLB's meshes, joints and materials, posed by weights and quaternions.
import { Color, Vector3 } from "../vendor/three.module.min.js";
import { clone } from "../vendor/addons/utils/SkeletonUtils.js";
import { JOINTS } from "./motion.js";

/** Factors of the skin's linear colour. */
export const TONES = {
  modelled: { label: "As modelled", factor: [1, 1, 1] },
  fair: { label: "Fair", factor: [1.16, 1.3, 1.4] },
  olive: { label: "Olive", factor: [0.72, 0.74, 0.68] },
  tan: { label: "Tan", factor: [0.55, 0.5, 0.44] },
  brown: { label: "Brown", factor: [0.33, 0.28, 0.24] },
  deep: { label: "Deep", factor: [0.17, 0.14, 0.125] },
};
/** Metres between a joint and what it moves, for the heat map; the neck moves everything, so it counts little. */
const REACH = [0, 0.006, 0.06, 0.012, 0.012];
/** Speed, m/s, and way from rest, m, that are fully coloured. */
const FULL_SPEED = 0.04, FULL_WAY = 0.009;

export class Head {
  constructor(root) {
    this.root = root;
    this.meshes = [];
    this.heat = { heatOn: { value: 0 }, heatRates: { value: null }, heatSpins: { value: new Float32Array(JOINTS) },
      heatLow: { value: new Color(0xffc233) }, heatHigh: { value: new Color(0xe02a12) } };
    root.traverse((node) => { if (node.isMesh) this.meshes.push(node); });
    this.bones = this.meshes.find((m) => m.skeleton)?.skeleton.bones ?? [];
    this.names = Object.keys(this.meshes[0]?.morphTargetDictionary ?? {});
    this.heat.heatRates.value = new Float32Array(Math.max(this.names.length, 1));
    this.rest = this.bones.map((b) => ({ turn: b.quaternion.clone(), place: b.position.clone() }));
    for (const mesh of this.meshes) this.prepare(mesh);
  }

  /** Another head of the same shape, with materials of its own. */
  twin() {
    for (const mesh of this.meshes) mesh.material.userData = { base: mesh.material.userData.base };
    return new Head(clone(this.root));
  }

  prepare(mesh) {
    mesh.frustumCulled = false; // its bounds are those of the rest pose
    mesh.castShadow = mesh.receiveShadow = true;
    const base = mesh.material.userData.base ?? mesh.material.color.toArray();
    mesh.material = mesh.material.clone();
    mesh.material.userData = { base };
    mesh.material.color.fromArray(base);
    mesh.material.onBeforeCompile = (shader) => this.patch(shader);
    mesh.material.customProgramCacheKey = () => "facelm-heat";
  }

  /** Colours what moves: each vertex by how fast and how far morph targets and joints move it. */
  patch(shader) {
    Object.assign(shader.uniforms, this.heat);
    shader.vertexShader = shader.vertexShader.replace("#include <morphtarget_pars_vertex>", `#include <morphtarget_pars_vertex>
      uniform float heatOn; uniform float heatSpins[${JOINTS}]; varying float vHeat;
      #ifdef USE_MORPHTARGETS
        uniform float heatRates[MORPHTARGETS_COUNT];
      #endif`).replace("#include <morphtarget_vertex>", `#include <morphtarget_vertex>
      vHeat = 0.0;
      if (heatOn > 0.5) {
        #ifdef USE_MORPHTARGETS
          for (int i = 0; i < MORPHTARGETS_COUNT; i++)
            if (heatRates[i] > 0.001) vHeat += length(getMorph(gl_VertexID, i, 0).xyz) * heatRates[i];
        #endif
        #ifdef USE_SKINNING
          vHeat += skinWeight.x * heatSpins[int(skinIndex.x)] + skinWeight.y * heatSpins[int(skinIndex.y)]
            + skinWeight.z * heatSpins[int(skinIndex.z)] + skinWeight.w * heatSpins[int(skinIndex.w)];
        #endif
        vHeat = clamp(vHeat, 0.0, 1.0);
      }`);
    shader.fragmentShader = shader.fragmentShader.replace("void main() {", `uniform vec3 heatLow; uniform vec3 heatHigh; varying float vHeat;
      void main() {`).replace("#include <color_fragment>", `#include <color_fragment>
      diffuseColor.rgb = mix(diffuseColor.rgb, mix(heatLow, heatHigh, vHeat), 0.92 * smoothstep(0.03, 0.5, vHeat));`);
  }

  /** Shows a pose; null is the face at rest. */
  pose(pose) {
    for (const mesh of this.meshes) {
      const to = mesh.morphTargetInfluences;
      for (let i = 0; i < to.length; i++) to[i] = pose && i < pose.weights.length ? pose.weights[i] : 0;
    }
    this.bones.forEach((bone, j) => {
      if (j >= JOINTS) return;
      if (pose) {
        bone.quaternion.fromArray(pose.turns, 4 * j);
        bone.position.fromArray(pose.places, 3 * j);
      } else {
        bone.quaternion.copy(this.rest[j].turn);
        bone.position.copy(this.rest[j].place);
      }
    });
    if (this.heat.heatOn.value) this.warm(pose);
  }

  warm(pose) {
    const { heatRates, heatSpins } = this.heat;
    for (let i = 0; i < heatRates.value.length; i++) heatRates.value[i] = pose ? Math.max(pose.speeds[i] / FULL_SPEED, pose.weights[i] / FULL_WAY) : 0;
    for (let j = 0; j < JOINTS; j++) heatSpins.value[j] = ((pose?.spins[j] ?? 0) * REACH[j]) / FULL_SPEED;
  }

  /** The middle between the eyes, as it is posed. */
  eyes() {
    this.root.updateMatrixWorld(true);
    const [left, right] = this.bones.slice(3, 5).map((b) => b.getWorldPosition(new Vector3()));
    return left && right ? left.add(right).multiplyScalar(0.5) : new Vector3();
  }

  tone(name) {
    const factor = TONES[name]?.factor ?? [1, 1, 1];
    for (const { material } of this.meshes) {
      const soft = { skin: 1, lips: 0.7 }[material.name];
      if (soft) material.color.fromArray(material.userData.base.map((c, k) => c * factor[k] ** soft));
    }
  }

  wire(on) {
    for (const { material } of this.meshes) material.wireframe = on;
  }

  heated(on) {
    this.heat.heatOn.value = on ? 1 : 0;
  }

  weights() {
    const mesh = this.meshes[0];
    return Object.fromEntries(this.names.map((n) => [n, mesh.morphTargetInfluences[mesh.morphTargetDictionary[n]]]));
  }

  joints() {
    return this.bones.map((b) => b.quaternion.toArray());
  }
}
