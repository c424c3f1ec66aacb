// Light, dark, or as the system has it; kept for the next page where the browser lets us.
"use strict";
(function () {
  const KEY = "mibench-theme";
  const NAMES = ["auto", "light", "dark"];
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function keep(name) {
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // A browser that keeps nothing for files still has the theme on this page.
    }
  }

  function set(name) {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
  }

  let current = NAMES.includes(stored()) ? stored() : "auto";
  set(current);
  document.addEventListener("DOMContentLoaded", function () {
    const button = document.querySelector("button.theme");
    const label = button.querySelector("span");
    label.textContent = current;
    button.hidden = false;
    button.addEventListener("click", function () {
      current = NAMES[(NAMES.indexOf(current) + 1) % NAMES.length];
      set(current);
      keep(current);
      label.textContent = current;
    });
  });
})();
