// The light around the head: lamps, shadows, and soft boxes that skin and eyes reflect.
import { BackSide, BoxGeometry, Color, DirectionalLight, HemisphereLight, Mesh, MeshBasicMaterial, PCFShadowMap, PMREMGenerator, Scene,
  SphereGeometry } from "../vendor/three.module.min.js";

/** Power and direction of the lamps, and how strong the reflected room is. */
const RIGS = {
  studio: { room: 0.62, sky: 0.2, key: [2.5, -0.62, 0.75, 1], fill: [0.45, 0.9, 0.05, 0.8], rim: [2.2, 0.75, 0.7, -1] },
  soft: { room: 1.15, sky: 0.75, key: [0.75, -0.2, 0.9, 1], fill: [0.2, 0.6, 0, 0.8], rim: [0.5, 0, 0.8, -1] },
  side: { room: 0.16, sky: 0.06, key: [3.6, -1, 0.35, 0.42], fill: [0.1, 1, 0, 0.5], rim: [1.8, 1, 0.4, -0.8] },
};
/** Centre, size and brightness of the boxes, metres around the head. */
const BOXES = [[[-3, 2.2, 3], [2.2, 2.6, 0.1], 16], [[3.4, 0.6, 2], [0.1, 3, 2.2], 5], [[0, 4.4, 0], [3.4, 0.1, 3.4], 6], [[2.6, 2, -3.4], [2, 2.6, 0.1], 9]];

function room() {
  const scene = new Scene();
  scene.add(new Mesh(new SphereGeometry(6, 24, 16), new MeshBasicMaterial({ color: new Color(0.34, 0.34, 0.36), side: BackSide })));
  for (const [place, size, power] of BOXES) {
    const box = new Mesh(new BoxGeometry(...size), new MeshBasicMaterial({ color: new Color(power, power * 0.98, power * 0.94) }));
    box.position.set(...place);
    box.lookAt(0, 0, 0);
    scene.add(box);
  }
  return scene;
}

export class Studio {
  constructor(renderer, scene) {
    this.scene = scene;
    this.lamps = { sky: new HemisphereLight(0xf2f6ff, 0xb99f8c, 1), key: new DirectionalLight(0xfff3e6), fill: new DirectionalLight(0xdfeaff),
      rim: new DirectionalLight(0xf4f8ff) };
    scene.add(...Object.values(this.lamps), this.lamps.key.target);
    renderer.shadowMap.enabled = true;
    renderer.shadowMap.type = PCFShadowMap;
    this.shade(this.lamps.key);
    const maker = new PMREMGenerator(renderer);
    scene.environment = maker.fromScene(room(), 0.03).texture;
    maker.dispose();
  }

  shade(lamp) {
    lamp.castShadow = true;
    lamp.shadow.mapSize.set(1024, 1024);
    lamp.shadow.radius = 5;
    lamp.shadow.normalBias = 0.0025;
    lamp.shadow.bias = -0.0006;
    Object.assign(lamp.shadow.camera, { left: -0.2, right: 0.2, top: 0.2, bottom: -0.22, near: 0.3, far: 1.8 });
  }

  set(name) {
    const rig = RIGS[name] ?? RIGS.studio;
    this.scene.environmentIntensity = rig.room;
    this.lamps.sky.intensity = rig.sky;
    for (const lamp of ["key", "fill", "rim"]) {
      const [power, x, y, z] = rig[lamp];
      this.lamps[lamp].intensity = power;
      this.lamps[lamp].position.set(x, y, z).normalize();
    }
  }
}
