// Asks the search of a built documentation, with the script that browsers run, and
// prints which pages it names, best first.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [folder, ...queries] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(folder, name), "utf-8");

// Nothing is shown, so that the page need not be there.
const world = {
  _: (text) => text,
  _ready() {},
  SPHINX_HIGHLIGHT_ENABLED: false,
  document: { getElementById: () => null },
};
world.window = world;
vm.createContext(world);
for (const name of ["language_data.js", "searchtools.js"])
  vm.runInContext(read(path.join("_static", name)), world);
vm.runInContext(read("searchindex.js"), world);
world.queries = queries;
const found = vm.runInContext(
  `queries.map((query) => {
    const [parsed, ...terms] = Search._parseQuery(query);
    const results = Search._performSearch(parsed, ...terms).reverse();
    return [...new Set(results.map((result) => result[0]))];
  })`,
  world,
);
console.log(JSON.stringify(found));
