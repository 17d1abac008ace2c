// Works out what the origin's traffic costs at the reader's own price, for a file of any size.
"use strict";
for (const form of document.querySelectorAll("form.cost")) {
  const rows = form.nextElementSibling.querySelectorAll("tbody tr");
  const caption = form.nextElementSibling.querySelector("caption span");
  const copies = JSON.parse(form.dataset.serverSwarm);
  const write = (value) =>
    value === null ? "—" : new Intl.NumberFormat("en", { maximumSignificantDigits: 3 }).format(value);
  const update = () => {
    const price = Number(form.elements.price.value), size = Number(form.elements.size.value);
    const cost = (sent) => (sent === null ? null : sent * size * price);
    copies.forEach(([clients, server, swarm], place) => {
      const cells = rows[place].querySelectorAll("td");
      cells[0].textContent = write(cost(server));
      cells[1].textContent = write(cost(swarm));
      cells[3].textContent = write(swarm === null ? null : cost(swarm) / clients);
    });
    const [clients, server, swarm] = copies[copies.length - 1];
    caption.textContent =
      `One distribution of a file of ${write(size)} GB (10⁹ bytes) at ${write(price)} per GB ` +
      "that the origin sends, in the price's currency.";
    form.querySelector("output").textContent =
      `${clients} clients: ${write(cost(server))} from a server, ${write(cost(swarm))} from a swarm's origin.`;
  };
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  update();
}
