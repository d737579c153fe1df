'use strict';
// What a page without a script cannot do: sort, filter and take tables, hide a series, tell what is pointed at.
// Everything to read is on the page already; this only rearranges it, and fetches nothing.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  function make(tag, attributes, ...inside) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  }

  // The address: #section&sort.TABLE=2&filter.TABLE=lstm&hide.FIGURE=0,3, so that a link shows what its sender saw.
  const state = new Map();

  function address() {
    const [section, ...told] = location.hash.slice(1).split('&');
    return [section, new URLSearchParams(told.join('&'))];
  }

  function remember(key, value) {
    if (value) state.set(key, value);
    else state.delete(key);
    const told = new URLSearchParams([...state].sort()).toString();
    history.replaceState(null, '', `#${address()[0]}${told && '&' + told}`);
  }

  function restore() {
    const [section, told] = address();
    if ([...told].length) {
      for (const key of new Set([...state.keys(), ...told.keys()])) apply.get(key)?.(told.get(key) ?? '');
    } else if (state.size) {
      remember('', ''); // a link within the page: what is sorted and hidden stays in the address
    }
    show(section);
  }
  const apply = new Map();

  function show(anchor) {
    const target = anchor && document.getElementById(anchor);
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
    target.scrollIntoView({ behavior: 'instant' });
  }

  // Cells

  const cellsOf = (row) => [...row.cells];
  const text = (cell) => (cell.querySelector('bdi') ?? cell).textContent.trim();
  const asides = (cell) => all('small', cell).map((one) => one.textContent.trim()).join('; ');
  const EMPTY = new Set(['', '–', 'none', 'not tried', 'not measured', 'not told']);

  function number(cell) {
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const plain = text(cell).replace(/,(?=\d{3})/g, '').replace('−', '-');
    return /^-?\d+(\.\d+)?$/.test(plain) ? Number(plain) : NaN;
  }

  const words = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

  // Numbers before words, what is empty last whichever way a column is sorted.
  function compare(a, b, way) {
    const empty = EMPTY.has(text(a)) - EMPTY.has(text(b));
    if (empty) return empty;
    const [x, y] = [number(a), number(b)];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
    if (Number.isNaN(x)) return way * words.compare(text(a), text(b));
    return x === y ? 0 : way * (x < y ? -1 : 1);
  }

  // Tables

  function sortable(region) {
    const table = region.querySelector('table');
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const floors = rows.filter((row) => row.classList.contains('floor'));
    const heads = table.tHead ? cellsOf(table.tHead.rows[0]) : [];
    const key = `sort.${region.id}`;

    function sort(column, way) {
      const sorted = (own) => (way ? [...own].sort((a, b) => compare(a.cells[column], b.cells[column], way)) : own);
      body.append(...sorted(rows.filter((row) => !floors.includes(row))), ...sorted(floors));
      const first = [...body.rows].find((row) => floors.includes(row));
      floors.forEach((row) => row.classList.toggle('first', row === first));
      heads.forEach((head, at) => {
        if (way && at === column) head.setAttribute('aria-sort', way > 0 ? 'ascending' : 'descending');
        else head.removeAttribute('aria-sort');
      });
      remember(key, way ? String(way * (column + 1)) : '');
    }

    heads.forEach((head, column) => {
      const button = make('button', { class: 'sort', type: 'button' }, ...head.childNodes);
      if (!button.textContent.trim()) button.setAttribute('aria-label', `column ${column + 1}`);
      head.append(button);
      const ways = head.classList.contains('n') ? [-1, 1, 0] : [1, -1, 0]; // the largest number first; words from a on
      button.addEventListener('click', () => {
        const now = { ascending: 1, descending: -1 }[head.getAttribute('aria-sort')] ?? 0;
        sort(column, ways[(ways.indexOf(now) + 1) % 3]);
      });
    });
    apply.set(key, (told) => {
      const asked = /^-?\d+$/.test(told) ? Number(told) : 0;
      if (Math.abs(asked) <= heads.length) sort(Math.abs(asked) - 1, Math.sign(asked));
    });
  }

  function filterable(region, least = 8) {
    const rows = [...region.querySelector('table').tBodies[0].rows];
    if (rows.length < least) return;
    const field = make('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
    const count = make('span', { role: 'status' });
    const key = `filter.${region.id}`;

    function filter(wanted) {
      const parts = wanted.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const said = row.textContent.toLowerCase();
        row.hidden = !parts.every((part) => said.includes(part));
      }
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = parts.length ? `${shown} of ${rows.length} rows` : '';
      remember(key, wanted);
    }

    field.addEventListener('input', () => filter(field.value));
    apply.set(key, (told) => filter((field.value = told)));
    region.before(make('p', { class: 'filter' }, make('label', {}, 'Filter rows', field), count));
  }

  // Taking a table along: the rows that are shown, in the order in which they are shown.

  const UNITS = [[/\d (B|KiB|MiB|GiB|TiB)$/, 'bytes'], [/\d (ms|s|min|h)$/, 'seconds']];

  function taken(region) {
    const table = region.querySelector('table');
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const width = Math.max(0, ...rows.map((row) => row.cells.length));
    const heads = table.tHead ? cellsOf(table.tHead.rows[0]).map((head) => head.textContent.trim()) : [];
    return { caption: table.caption.textContent.trim(), rows, width, heads };
  }

  function columns({ rows, width, heads }) {
    const found = new Map();
    const add = (name, values) => {
      let own = name;
      for (let n = 2; found.has(own); n += 1) own = `${name} (${n})`;
      found.set(own, values);
    };
    for (let at = 0; at < width; at += 1) {
      const cells = rows.map((row) => row.cells[at]);
      const head = heads[at] || `column ${at + 1}`;
      const unit = UNITS.find(([told]) => cells.some((cell) => told.test(text(cell)) && !Number.isNaN(number(cell))))?.[1];
      const value = (cell) => (Number.isFinite(number(cell)) ? number(cell) : EMPTY.has(text(cell)) ? null : text(cell));
      add(unit ? `${head} (${unit})` : head, cells.map(value));
      if (cells.some(asides)) add(`${head}: notes`, cells.map((cell) => asides(cell) || null));
    }
    return found;
  }

  function csv(region) {
    const literal = (said) => (/^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(said) ? `'${said}` : said); // no formula
    const cell = (value) => {
      const said = typeof value === 'number' ? String(value) : literal(value ?? '');
      return /[",;\r\n]/.test(said) ? `"${said.replaceAll('"', '""')}"` : said;
    };
    const found = columns(taken(region));
    const lines = taken(region).rows.map((_, n) => [...found.values()].map((values) => values[n]));
    return [[...found.keys()], ...lines].map((line) => `${line.map(cell).join(',')}\n`).join('');
  }

  function json(region) {
    const { caption, rows } = taken(region);
    const found = [...columns(taken(region))];
    const records = rows.map((_, n) => Object.fromEntries(found.map(([name, values]) => [name, values[n]])));
    return `${JSON.stringify({ caption, rows: records }, null, 1)}\n`;
  }

  function laid(region, escape, bold) {
    const { caption, rows, width, heads } = taken(region);
    const cell = (one) => {
      const said = escape(text(one));
      return (one.querySelector('strong') ? bold(said) : said) + (asides(one) ? ` (${escape(asides(one))})` : '');
    };
    const each = (tell) => Array.from({ length: width }, (_, at) => tell(at));
    const numeric = each((at) => rows[0].cells[at].classList.contains('n'));
    const lines = rows.map((row) => [row, cellsOf(row).map(cell)]);
    return { caption: escape(caption), named: each((at) => escape(heads[at] ?? '')), numeric, lines };
  }

  const HTML = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
  const escapedMarkdown = (said) => said.replace(/[&<>]|[\\`*_[\]|~$#]/g, (c) => HTML[c] ?? `\\${c}`);

  function markdown(region) {
    const { caption, named, numeric, lines } = laid(region, escapedMarkdown, (said) => `**${said}**`);
    const line = (cells) => `| ${cells.join(' | ')} |\n`;
    const sides = numeric.map((is) => (is ? '---:' : '---'));
    return `*${caption}*\n\n${line(named)}${line(sides)}${lines.map(([, cells]) => line(cells)).join('')}`;
  }

  const LATEX = {
    '\\': '\\textbackslash{}', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}', '–': '--', '−': '$-$', '→': '$\\to$',
    '×': '$\\times$', '≤': '$\\leq$', '≥': '$\\geq$', '…': '\\ldots{}', '<': '$<$', '>': '$>$', '|': '$|$', '"': "''",
  };
  const escapedLatex = (said) => said.replace(/[\\~^–−→×≤≥…<>|"]|[{}$&#%_]/g, (c) => LATEX[c] ?? `\\${c}`);

  function latex(region) {
    const { caption, named, numeric, lines } = laid(region, escapedLatex, (said) => `\\textbf{${said}}`);
    const line = (cells) => `${cells.join(' & ')} \\\\\n`;
    const rows = lines.map(([row, cells]) => (row.classList.contains('first') ? '\\midrule\n' : '') + line(cells));
    return (
      `% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\caption{${caption}}\n` +
      `\\begin{tabular}{${numeric.map((is) => (is ? 'r' : 'l')).join('')}}\n\\toprule\n` +
      `${named.some(Boolean) ? `${line(named)}\\midrule\n` : ''}${rows.join('')}\\bottomrule\n\\end{tabular}\n\\end{table}\n`
    );
  }

  function save(content, name, type) {
    const url = URL.createObjectURL(new Blob([content], { type }));
    make('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  function takeable(region) {
    const said = make('span', { role: 'status' });
    const spare = make('textarea', { readonly: '', 'aria-label': 'The table as text' });
    spare.hidden = true;
    const button = (name, act) => {
      const made = make('button', { type: 'button' }, name);
      made.addEventListener('click', () => {
        const rows = taken(region).rows.length;
        if (rows) act(rows);
        else said.textContent = 'No row is shown.';
      });
      return made;
    };
    const copy = (name, write) =>
      button(name, async (rows) => {
        const told = `${rows} ${rows === 1 ? 'row' : 'rows'} as ${name}`;
        spare.value = write(region);
        try {
          await navigator.clipboard.writeText(spare.value);
          spare.hidden = true;
          said.textContent = `${told} copied.`;
        } catch {
          spare.hidden = false; // a browser may forbid it: then the reader copies
          spare.select();
          said.textContent = `${told}:`;
        }
      });
    const download = (name, write, type) => button(name, () => save(write(region), `${region.id}.${name.toLowerCase()}`, type));
    const offers = make('details', { class: 'take' }, make('summary', {}, 'Take this table'),
      make('p', {}, 'Copy ', copy('Markdown', markdown), copy('LaTeX', latex), copy('CSV', csv), copy('JSON', json)),
      make('p', {}, 'Download ', download('CSV', csv, 'text/csv'), download('JSON', json, 'application/json')), said, spare);
    const note = region.nextElementSibling?.classList.contains('note') ? region.nextElementSibling : region;
    note.after(make('div', { class: 'tools' }, offers));
  }

  // What is told of a cell or a point, beside it

  const tip = make('div', { class: 'tip', id: 'tip', role: 'status' });
  let told = null; // what is told of, and in which words
  let tapped = null;

  function tell(element, said) {
    told = [element, said];
    tip.textContent = said;
    tip.hidden = false;
    const [own, box] = [tip.getBoundingClientRect(), element.getBoundingClientRect()];
    const left = Math.min(box.left + box.width / 2 - own.width / 2, innerWidth - own.width - 8);
    const above = box.top - own.height - 8;
    tip.style.left = `${Math.max(left, 8)}px`;
    tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
  }

  function hush() {
    told = null;
    tip.hidden = true;
    all('.near').forEach((one) => one.classList.remove('near'));
  }

  function telling(cell) {
    const said = cell.title;
    const on = () => tell(cell, said);
    cell.removeAttribute('title'); // or the browser would say it a second time
    cell.setAttribute('aria-description', said);
    for (const event of ['pointerenter', 'focus']) cell.addEventListener(event, on);
    for (const event of ['pointerleave', 'blur']) cell.addEventListener(event, hush);
    cell.addEventListener('click', (event) => {
      if (event.pointerType !== 'touch' || tapped === cell) return;
      event.preventDefault(); // a finger cannot hover: its first tap tells, its second follows
      tapped = cell;
      on();
    });
  }

  // Figures

  function plot(svg) {
    const points = all('[data-series] title', svg).map((title) => ({ mark: title.parentNode, said: title.textContent }));
    for (const { mark } of points) mark.querySelector('title').remove();
    const holder = make('div', { class: 'plot' });
    svg.replaceWith(holder);
    holder.append(svg);
    legend(holder, svg);
    if (!points.length) return;
    holder.setAttribute('tabindex', '0');
    holder.setAttribute('role', 'group');
    holder.setAttribute('aria-label', 'Points of the figure, one by one with the arrow keys');
    let at = -1;

    const seen = () => points.filter(({ mark }) => !mark.closest('.off'));
    function point(one) {
      hush();
      one.mark.classList.add('near');
      tell(one.mark, one.said);
    }
    function nearest(event, most = 24) {
      const far = ({ mark }) => {
        const box = mark.getBoundingClientRect();
        const [x, y] = [event.clientX, event.clientY];
        return Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
      };
      const [found] = seen().map((one) => [far(one), one]).sort((a, b) => a[0] - b[0]);
      return found && found[0] <= most ? found[1] : null;
    }
    const follow = (event) => {
      const one = nearest(event);
      if (one) point(one);
      else hush();
    };
    svg.addEventListener('pointermove', follow);
    svg.addEventListener('pointerdown', follow);
    for (const off of ['pointerleave', 'focusout']) holder.addEventListener(off, hush);
    holder.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const own = seen();
      if (event.key === 'Escape') hush();
      if (!step || event.target !== holder || !own.length) return;
      event.preventDefault();
      at = (at + step + own.length + (at < 0 && step < 0 ? 1 : 0)) % own.length;
      point(own[at]);
    });
  }

  // The legend's entries as buttons over its own letters: colour, line and marker stay what they are.
  function legend(holder, svg) {
    const keys = new Map();
    for (const one of all('.key', svg)) keys.set(one.dataset.key, [...(keys.get(one.dataset.key) ?? []), one]);
    const key = `hide.${svg.closest('figure')?.id}`;
    const buttons = new Map();

    function hide(places) {
      for (const [place, button] of buttons) {
        const off = places.includes(place);
        all(`[data-series="${place}"], [data-key="${place}"]`, svg).forEach((one) => one.classList.toggle('off', off));
        button.setAttribute('aria-pressed', String(!off));
      }
      remember(key, places.join(','));
    }

    const whole = svg.viewBox.baseVal;
    for (const [place, parts] of keys) {
      const name = parts.map((part) => part.textContent.trim()).join('');
      const button = make('button', { type: 'button', class: 'key', 'aria-pressed': 'true', 'aria-label': `show ${name}` });
      const boxes = parts.map((part) => part.getBBox());
      const ends = (low, size) => [Math.min(...boxes.map((b) => b[low])), Math.max(...boxes.map((b) => b[low] + b[size]))];
      const [[left, right], [top, bottom]] = [ends('x', 'width'), ends('y', 'height')];
      button.style.left = `${(100 * (left - 4)) / whole.width}%`;
      button.style.top = `${(100 * (top - 1)) / whole.height}%`;
      button.style.width = `${(100 * (right - left + 8)) / whole.width}%`;
      button.style.height = `${(100 * (bottom - top + 2)) / whole.height}%`;
      button.addEventListener('click', () => {
        const off = [...buttons].filter(([, one]) => one.getAttribute('aria-pressed') === 'false').map(([own]) => own);
        hide(off.includes(place) ? off.filter((own) => own !== place) : [...off, place]);
      });
      buttons.set(place, button);
      holder.append(button);
    }
    apply.set(key, (told) => hide(told.split(',').filter((place) => buttons.has(place))));
  }

  // Nothing opens on paper: what is folded away stands open while the page is printed.

  let folded = [];
  addEventListener('beforeprint', () => {
    folded = all('details:not([open])');
    folded.forEach((one) => (one.open = true));
  });
  addEventListener('afterprint', () => folded.forEach((one) => (one.open = false)));

  for (const region of all('.scroll[id]')) {
    sortable(region);
    filterable(region);
    takeable(region);
  }
  all('figure > svg').forEach(plot);
  all('.from[title]').forEach(telling);
  hush();
  document.body.append(tip);
  document.addEventListener('keydown', (event) => event.key === 'Escape' && hush());
  addEventListener('hashchange', restore);
  addEventListener('scroll', () => (told?.[0].closest(':focus') ? tell(...told) : hush()), { passive: true });
  restore();
})();
