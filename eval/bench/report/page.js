"use strict";
function play(button) {
  const frames = +button.dataset.frames, seconds = +button.dataset.seconds, start = performance.now();
  const width = button.clientWidth;
  button.classList.add("on");
  const run = (button.run = (button.run || 0) + 1);
  function step(now) {
    if (run !== button.run) return;
    const at = Math.min(Math.floor((now - start) / 1000 / seconds * frames), frames);
    button.style.backgroundPosition = `${-width * Math.min(at, frames - 1)}px 0`;
    if (at < frames) return requestAnimationFrame(step);
    button.style.backgroundPosition = `${-width * Math.floor(frames / 2)}px 0`;
    button.classList.remove("on");
  }
  requestAnimationFrame(step);
}
for (const button of document.querySelectorAll(".film button")) button.addEventListener("click", () => play(button));
for (const all of document.querySelectorAll("button.all"))
  all.addEventListener("click", () => all.closest("section").querySelectorAll(".film button").forEach(play));
