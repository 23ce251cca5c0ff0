// One question before something happens. The focus goes back to where it was.

import { element } from "./dom.js";

// `body`: nodes; the values of controls in it are given by their names, or null where the
// user thought better of it. `allow` tells by the values whether one may go on.
export function ask({ title, body, confirm, isGrave = false, allow = () => true }) {
  const dialog = document.getElementById("dialog");
  const before = document.activeElement;
  return new Promise((resolve) => {
    const heading = element("h2", { id: "dialog-title" }, title);
    const yes = element("button", { type: "submit", className: isGrave ? "grave" : "" }, confirm);
    const no = element("button", { type: "button", className: "quiet" }, "Leave it as it is");
    const form = element("form", {}, heading, element("div", { className: "dialog-body" }, body),
      element("div", { className: "buttons" }, yes, no));
    const values = () => Object.fromEntries([...form.elements].filter((each) => each.name).map((each) =>
      [each.name, each.type === "checkbox" ? each.checked : each.value.trim()]));
    const end = (answer) => {
      dialog.onclose = null;
      dialog.close();
      dialog.replaceChildren();
      if (before?.isConnected) before.focus({ preventScroll: true });
      resolve(answer);
    };
    const look = () => { yes.disabled = !allow(values()); };
    form.onsubmit = (event) => { event.preventDefault(); if (!yes.disabled) end(values()); };
    form.oninput = look;
    no.onclick = () => end(null);
    dialog.onclose = () => end(null);
    dialog.setAttribute("aria-labelledby", "dialog-title");
    dialog.replaceChildren(form);
    look();
    dialog.showModal();
    (form.querySelector("[autofocus]") ?? no).focus();
  });
}
