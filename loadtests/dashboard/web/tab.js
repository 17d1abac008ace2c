/* Puts the charts into Locust's tab, above the table that Locust draws there. Does nothing, and breaks
   nothing, where Locust's page is not made as expected: the charts have an address of their own. */

const KEY = "swarm-or-server";

const charts = document.createElement("iframe");
charts.id = `${KEY}-charts`;
charts.title = "Swarm or server: charts";
charts.src = `./${KEY}/`;
charts.style.cssText = "border: 0; width: 100%; height: 60rem; display: block; margin-bottom: 1rem;";

/** As high as what it shows. */
function fit() {
  const shown = charts.contentDocument?.querySelector("main");
  if (shown) charts.style.height = `${shown.offsetHeight + 8}px`;
}

function place() {
  const wanted = new URLSearchParams(location.search).get("tab") === KEY;
  const container = document.querySelector("main > *");
  const tabs = container?.querySelector('[role="tablist"]') && container.firstElementChild;
  if (!wanted || !tabs) {
    charts.remove();
  } else if (tabs.nextElementSibling !== charts) {
    tabs.after(charts);
  }
}

charts.addEventListener("load", () => {
  const shown = charts.contentDocument?.querySelector("main");
  if (shown) new ResizeObserver(fit).observe(shown);
});
new MutationObserver(place).observe(document.getElementById("root") ?? document.body, { childList: true, subtree: true });
addEventListener("popstate", place);
place();
