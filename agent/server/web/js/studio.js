// The light around the head: lamps, and the shadows of the brightest one.
import { DirectionalLight, HemisphereLight, PCFShadowMap } from "../vendor/three.module.min.js";

/** Power and direction of the lamps. */
const RIGS = {
  studio: { sky: 1.5, key: [2.3, -0.62, 0.75, 1], fill: [0.75, 1, 0.1, 0.75], rim: [2.6, 0.8, 0.55, -0.8], top: [0.7, 0, 1, 0.25] },
  soft: { sky: 2.7, key: [0.75, -0.3, 0.8, 1], fill: [0.4, 0.8, 0, 0.8], rim: [0.7, 0, 0.7, -1], top: [0.6, 0, 1, 0.3] },
  side: { sky: 0.28, key: [3.8, -1, 0.35, 0.42], fill: [0.12, 1, 0, 0.5], rim: [2, 1, 0.4, -0.8], top: [0.1, 0, 1, 0.2] },
};

export class Studio {
  constructor(renderer, scene) {
    this.lamps = { sky: new HemisphereLight(0xeaf1ff, 0xb58e78, 1), key: new DirectionalLight(0xfff2e4), fill: new DirectionalLight(0xdbe7ff),
      rim: new DirectionalLight(0xf2f7ff), top: new DirectionalLight(0xffffff) };
    scene.add(...Object.values(this.lamps), this.lamps.key.target);
    renderer.shadowMap.enabled = true;
    renderer.shadowMap.type = PCFShadowMap;
    this.shade(this.lamps.key);
  }

  shade(lamp) {
    lamp.castShadow = true;
    lamp.shadow.mapSize.set(1024, 1024);
    lamp.shadow.radius = 5;
    lamp.shadow.normalBias = 0.0025;
    lamp.shadow.bias = -0.0006;
    Object.assign(lamp.shadow.camera, { left: -0.2, right: 0.2, top: 0.2, bottom: -0.22, near: 0.3, far: 1.8 });
  }

  /** Points the lamps at the head. */
  aim(place) {
    this.lamps.key.target.position.copy(place);
    this.place = place;
    this.set(this.name ?? "studio");
  }

  set(name) {
    this.name = name;
    const { sky, ...lamps } = RIGS[name] ?? RIGS.studio;
    this.lamps.sky.intensity = sky;
    for (const [lamp, [power, x, y, z]] of Object.entries(lamps)) {
      this.lamps[lamp].intensity = power;
      this.lamps[lamp].position.set(x, y, z).normalize();
    }
    if (this.place) this.lamps.key.position.add(this.place);
  }
}
