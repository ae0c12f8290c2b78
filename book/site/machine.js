// Runs the tables of the proved memory (machine.json, made by book/machine.py) on keys that a reader types. JOIN and
// SEARCH are looked up, WRITE puts the same in each leaf that was taken, nothing else decides; hamPlayer
// (hamlib/drawing/player.js) shows the walk.
(() => {
  const MOST = 64;

  // The frames of one run, and the keys in the order in which they came.
  const run = (machine, keys) => {
    const n = Math.max(2, 2 ** Math.ceil(Math.log2(keys.length))), states = machine.right.length;
    const join = [];
    for (let k = 0; k < machine.join.length; k += 2) join.push(...Array(machine.join[k + 1]).fill(machine.join[k]));
    const left = [...keys.map(String), ...Array(n - keys.length).fill("")];
    const tree = Array(n).concat(left.map((key) => (key === "" ? machine.empty : machine.leaf[key])));
    const joined = (row) => (tree[row] = join[tree[2 * row] * states + tree[2 * row + 1]]);
    for (let row = n - 1; row; row--) joined(row);
    const search = (row, path = []) => {
      for (; row < n; row = 2 * row + Number(machine.right[tree[row]])) path.push(row);
      return [row, path];
    };
    const frames = [], sorted = [];
    let labels = Array(n).fill(""), nodes = Array(2 * n - 1).fill("");
    const changed = (now, before) => now.flatMap((text, k) => (text === before[k] ? [] : [[k, text]]));
    for (let count = 1; count <= keys.length; count++) {
      const [row, path] = search(1), leaf = row - n;
      const winners = nodes.map((_, k) => (k + 1 < n ? left[search(k + 1)[0] - n] : ""));
      const turns = [...path.slice(1), row].map((next) => (next % 2 ? "right" : "left")).join(", ");
      const alt = `Path ${turns} to leaf ${leaf}: key ${left[leaf]}. Read so far: ${[...sorted, left[leaf]].join(", ")}.`;
      frames.push({ title: `access ${count}`, alt, leaf, labels: changed(left, labels), nodes: changed(winners, nodes) });
      [labels, nodes] = [[...left], winners];
      sorted.push(left[leaf]);
      left[leaf] = "";
      tree[row] = machine.taken;
      for (let above = row >> 1; above; above >>= 1) joined(above);
    }
    return [sorted, { n, name: "key", frames, autoplay: true }];
  };

  window.hamMachine = (form, root, machine) => {
    const answer = () => {
      const words = form.elements.keys.value.split(/[\s,;]+/).filter(Boolean), keys = words.map(Number);
      const fine = words.every((word, k) => /^\d+$/.test(word) && keys[k] < machine.leaf.length);
      if (!fine || !keys.length || keys.length > MOST) {
        form.elements.answer.value = `Please type 1 to ${MOST} whole numbers from 0 to ${machine.leaf.length - 1}.`;
        return;
      }
      const [sorted, data] = run(machine, keys);
      form.elements.answer.value = `Read in this order: ${sorted.join(", ")}`;
      window.hamPlayer(root, data);
    };
    form.addEventListener("submit", (event) => (event.preventDefault(), answer()));
    form.elements.random.addEventListener("click", () => {
      form.elements.keys.value = Array.from({ length: 16 }, () => Math.floor(32 * Math.random())).join(" ");
      answer();
    });
    answer();
  };
})();
