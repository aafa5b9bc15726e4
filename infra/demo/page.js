// Titles become one tooltip that follows the pointer and the arrow keys, and is read aloud.
"use strict";
(() => {
  const tip = document.getElementById("tip");
  let current = null;

  const hide = () => {
    tip.classList.remove("shown");
    if (current) current.classList.remove("now");
    current = null;
  };

  const show = (mark) => {
    if (mark === current) return;
    hide();
    current = mark;
    mark.classList.add("now");
    tip.textContent = mark.dataset.tip;
    put();
    tip.classList.add("shown");
  };

  const put = () => {
    if (!current) return;
    const box = current.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(12, box.left + box.width / 2 - own.width / 2), innerWidth - own.width - 12);
    const above = box.top - own.height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
  };

  for (const chart of document.querySelectorAll("[data-chart]")) {
    const image = chart.querySelector("svg");
    const title = image.querySelector(":scope > title");
    image.setAttribute("aria-label", title.textContent);
    image.removeAttribute("aria-labelledby");
    image.setAttribute("aria-describedby", image.querySelector(":scope > desc").id);
    title.remove();
    const marks = [...image.querySelectorAll(".mark")];
    for (const mark of marks) {
      const text = mark.querySelector(":scope > title");
      mark.dataset.tip = text.textContent;
      text.remove();
    }
    let place = -1;
    const found = (event) => event.target.closest && event.target.closest(".mark");
    chart.addEventListener("pointerover", (event) => {
      const mark = found(event);
      if (mark) { place = marks.indexOf(mark); show(mark); } else hide();
    });
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("blur", hide);
    chart.addEventListener("scroll", put, { passive: true });
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (event.key === "Home") place = 0;
      else if (event.key === "End") place = marks.length - 1;
      else if (step) place = Math.min(marks.length - 1, Math.max(0, place + step));
      else return;
      event.preventDefault();
      if (!marks[place]) return;
      marks[place].scrollIntoView({ block: "nearest", inline: "nearest" });
      show(marks[place]);
    });
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", put, { passive: true });
})();
