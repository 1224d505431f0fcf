"use strict";
// What needs JavaScript: the filter, copy buttons, expand all, and details in place. The rest works without.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const targets = all("details.target");

  // -- copy: exactly what is shown ---------------------------------------------------------------------------
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not allowed or not there: the old way, by a selection.
      const area = document.createElement("textarea");
      area.value = text;
      area.setAttribute("readonly", "");
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  for (const button of all("button.copy, button.copy-all")) {
    const label = button.textContent;
    const place = button.parentElement;
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      const text = all("code", place).map((code) => code.textContent).join("\n");
      button.textContent = (await copied(text)) ? "Copied" : "Not copied: select the text";
      button.focus();
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }

  // -- details in place: below the row of the cell that was chosen -------------------------------------------
  let open = null; // {link, details, place, row}
  const close = () => {
    if (!open) return;
    const { link, details, place, row } = open;
    open = null;
    link.setAttribute("aria-expanded", "false");
    for (const line of all(".chosen", details)) line.classList.remove("chosen");
    place.replaceWith(details);
    details.open = false;
    row.remove();
  };
  const choose = (link) => {
    const again = open && open.link === link;
    close();
    if (again) return;
    const line = document.getElementById(link.hash.slice(1));
    const details = line?.closest("details.target") ?? document.getElementById(link.hash.slice(1).replace(/c\d+$/, ""));
    const above = link.closest("tr");
    const row = document.createElement("tr");
    const cell = document.createElement("td");
    const place = document.createComment("details");
    row.className = "drill";
    row.setAttribute("role", "row");
    cell.setAttribute("role", "cell");
    cell.colSpan = above.cells.length;
    details.replaceWith(place);
    cell.append(details);
    row.append(cell);
    above.after(row);
    details.open = true;
    if (line && line !== details) {
      const number = line.id.replace(/^.*c/, "");
      line.classList.add("chosen");
      for (const block of all(".block", details)) {
        block.classList.toggle("chosen", block.dataset.cells.split(" ").includes(number));
      }
    }
    link.setAttribute("aria-expanded", "true");
    open = { link, details, place, row };
    details.querySelector("summary").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };
  for (const link of all(".matrix a.cell, .matrix a.name")) {
    link.setAttribute("aria-expanded", "false");
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      choose(link);
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !open || !open.row.contains(document.activeElement)) return;
    const { link } = open;
    close();
    link.focus();
  });
  for (const details of targets) {
    details.addEventListener("toggle", () => { if (open && open.details === details && !details.open) close(); });
  }

  // -- a link to a target or cell: opened, also where the browser does not do it by itself --------------------
  const followed = () => {
    const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const details = place && place.closest("details.target");
    if (details && !details.open) {
      details.open = true;
      place.scrollIntoView();
    }
  };
  addEventListener("hashchange", followed);
  followed();

  // -- filter and expand all ---------------------------------------------------------------------------------
  const tools = document.querySelector(".tools");
  if (!tools) return;
  tools.hidden = false;
  const [words, verdicts, expand, count] = ["filter", "verdicts", "expand", "count"].map((id) => document.getElementById(id));
  const rows = all(".matrix tr.target").map((row) => {
    const details = document.getElementById(row.querySelector("a.name").hash.slice(1));
    return { row, details, text: row.textContent.toLowerCase() };
  });
  const filter = () => {
    close();
    const wanted = words.value.trim().toLowerCase();
    const verdict = verdicts.value;
    let shown = 0;
    for (const { row, details, text } of rows) {
      const fits = text.includes(wanted) && (!verdict || row.classList.contains(verdict));
      row.hidden = details.hidden = !fits;
      shown += fits;
    }
    for (const group of all(".matrix tr.group")) {
      group.hidden = !all("tr.target", group.parentElement).some((row) => !row.hidden);
    }
    count.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} targets`;
  };
  words.addEventListener("input", filter);
  verdicts.addEventListener("change", filter);
  expand.addEventListener("click", () => {
    close();
    const opened = targets.some((details) => !details.open && !details.hidden);
    for (const details of targets) if (!details.hidden) details.open = opened;
    expand.textContent = opened ? "Collapse all" : "Expand all";
  });
})();
