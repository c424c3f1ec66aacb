(function () {
  "use strict";
  var tools = document.querySelector(".tools"), list = document.querySelector("main");
  var cards = Array.prototype.slice.call(list.querySelectorAll("article"));
  var find = tools.querySelector("input"), order = tools.querySelector("select"), count = tools.querySelector("output");
  function show() {
    var wanted = find.value.toLowerCase(), seen = 0;
    cards.forEach(function (card) {
      card.hidden = card.textContent.toLowerCase().indexOf(wanted) < 0;
      seen += card.hidden ? 0 : 1;
    });
    count.textContent = seen + " of " + cards.length;
  }
  function sort() {
    var key = order.value, sign = key === "place" || key === "latent" ? 1 : -1;
    cards.slice().sort(function (one, other) {
      return sign * (one.dataset[key] - other.dataset[key]);
    }).forEach(function (card) { list.appendChild(card); });
  }
  find.addEventListener("input", show);
  order.addEventListener("change", sort);
  tools.hidden = false;
  show();
})();
