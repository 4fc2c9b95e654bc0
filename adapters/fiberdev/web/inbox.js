"use strict";
(function () {
  var newest = Number(document.body.dataset.newest);
  var status = document.getElementById("status");
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-copy]");
    if (!button) return;
    navigator.clipboard.writeText(button.dataset.copy).then(function () {
      button.textContent = "Copied";
      status.textContent = "Copied.";
      setTimeout(function () { button.textContent = "Copy"; }, 2000);
    });
  });
  function busy() {
    var at = document.activeElement;
    return at && (at.tagName === "INPUT" || at.tagName === "SELECT");
  }
  setInterval(function () {
    if (document.hidden || busy()) return;
    fetch("/dev/inbox.json?after=" + newest).then(function (r) { return r.json(); }).then(function (list) {
      if (list.length) location.assign("/dev/inbox");
    }).catch(function () { status.textContent = "The server does not answer."; });
  }, 1500);
})();
