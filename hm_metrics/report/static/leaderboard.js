// The leaderboard: sorting, menus, protocols kept apart.

const board = { column: null, descending: true, text: '', task: '', facets: {}, shown: new Set() };

const columnOf = new Map(page.columns.map((column) => [column.key, column]));
const cellOf = (row, column) => row.cells[column.key] || [null, null, null, null];

// What a column's cells have in common: the scale of its bars, its n, whether it is all whole numbers.
const about = new Map(
  page.columns.map((column) => {
    const cells = page.rows.map((row) => cellOf(row, column)).filter((cell) => cell[0] !== null);
    const numbers = cells.flatMap((cell) => cell.slice(0, 3)).filter((value) => typeof value === 'number');
    const ns = new Set(cells.map((cell) => cell[3]));
    return [
      column.key,
      {
        low: Math.min(...numbers),
        high: Math.max(...numbers),
        whole: cells.every((cell) => Number.isInteger(cell[0])) && cells.every((cell) => cell[1] === null),
        bars: cells.some((cell) => cell[1] !== null),
        n: ns.size === 1 ? [...ns][0] : null,
      },
    ];
  }),
);

const tasksOfBoard = [...new Set(page.rows.flatMap((row) => Object.keys(row.protocol)))].sort();

function visibleColumns() {
  return page.columns.filter((c) => board.shown.has(c.key) && (!board.task || !c.task || c.task === board.task));
}

function visibleRows() {
  const words = board.text.toLowerCase().split(/\s+/).filter(Boolean);
  return page.rows.filter((row) => {
    if (board.task && !(board.task in row.protocol)) return false;
    for (const [name, value] of Object.entries(board.facets)) if (value && row.facets[name] !== value) return false;
    const text = [row.label, row.id, ...Object.values(row.facets), ...Object.keys(row.protocol)].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

// Rows that may be ranked together have one key: the marks of those tasks that count and have several.
function groupOf(row) {
  const column = columnOf.get(board.column);
  const tasks = column && column.task ? [column.task] : board.task ? [board.task] : divided;
  return JSON.stringify(
    divided.filter((task) => tasks.includes(task)).map((task) => [task, rankedAs(task, row.protocol[task] || '')]),
  );
}

function compare(a, b) {
  if (board.column === null) {
    const order = a.label.localeCompare(b.label, 'en', { numeric: true });
    return board.descending ? -order : order;
  }
  const column = columnOf.get(board.column);
  const [one, two] = [cellOf(a, column)[0], cellOf(b, column)[0]];
  // What was not measured comes last, whichever way.
  if (one === null || two === null) return (one === null) - (two === null);
  const order = typeof one === 'string' || typeof two === 'string'
    ? String(one).localeCompare(String(two), 'en', { numeric: true })
    : one - two;
  return board.descending ? -order : order;
}

function sortBy(key) {
  if (board.column === key) board.descending = !board.descending;
  else {
    board.column = key;
    board.descending = key !== null && columnOf.get(key).higher_is_better !== false;
  }
  drawBoard();
}

// Sort by the first metric that is shown, unless the present one is.
function sortByShown() {
  const columns = visibleColumns();
  if (columns.some((column) => column.key === board.column)) return;
  const first = columns.find((column) => column.higher_is_better !== null);
  board.column = first ? first.key : null;
  board.descending = Boolean(first && first.higher_is_better);
}

function headCell(key, title, help, note) {
  const sorted = board.column === key;
  const better = key === null ? null : columnOf.get(key).higher_is_better;
  const arrow = sorted ? (board.descending ? '\u25bc' : '\u25b2') : '';
  return el(
    'th',
    {
      scope: 'col',
      class: key === null ? 'label' : '',
      'aria-sort': sorted ? (board.descending ? 'descending' : 'ascending') : 'none',
    },
    el(
      'button',
      { type: 'button', class: 'sort', 'data-key': key === null ? '' : key, title: help || (better === true ? 'Higher is better.' : better === false ? 'Lower is better.' : ''),
        on: { click: () => sortBy(key) } },
      el('span', {}, title),
      el('span', { class: 'arrow', 'aria-hidden': 'true' }, arrow),
    ),
    el(
      'small',
      {},
      [better === true ? '\u2191 better' : better === false ? '\u2193 better' : '', note]
        .filter(Boolean)
        .join(' \u00b7 '),
    ),
  );
}

function valueCell(row, column, best) {
  const [value, low, high, n] = cellOf(row, column);
  const known = about.get(column.key);
  if (value === null) return el('td', { class: 'none', title: 'not measured, or unscored' }, '\u2013');
  if (typeof value === 'string') return el('td', { class: 'words' }, plain(value));
  const interval = low !== null && high !== null;
  const span = known.high - known.low || 1;
  const at = (x) => ((100 * (x - known.low)) / span).toFixed(2) + '%';
  const said = number(value, known.whole) + (interval ? ', 95 % interval ' + number(low) + ' to ' + number(high) : '') +
    (n === null ? '' : ', ' + count(n, 'question'));
  return el(
    'td',
    { class: value === best ? 'best' : '', title: said },
    el('span', { class: 'value' }, number(value, known.whole)),
    (interval || (n !== null && known.n === null)) && el(
      'span',
      { class: 'around' },
      interval && number(low) + ' \u2026 ' + number(high),
      n !== null && known.n === null && el('span', { class: 'n' }, ' n ' + n.toLocaleString('en')),
    ),
    known.bars && el(
      'span',
      { class: 'bar', 'aria-hidden': 'true' },
      interval && el('i', { style: { left: at(low), right: (100 - parseFloat(at(high))).toFixed(2) + '%' } }),
      el('b', { style: { left: at(value) } }),
    ),
  );
}

function labelCell(row) {
  return el(
    'th',
    { scope: 'row', class: 'label' },
    el('span', { class: 'title' }, plain(row.label)),
    el('span', { class: 'under' },
      Object.keys(row.protocol).sort().map((task) => [chip(task, row.protocol[task], tasksOfBoard.length > 1), aside(task, row.protocol[task])]),
      el('a', { class: 'to-samples', href: '#sample=&rows=' + encode(row.id), hidden: true, 'data-row': row.id,
        'aria-label': 'samples of ' + row.label }, 'samples'),
      row.warnings.length > 0 && el(
        'details',
        { class: 'warnings' },
        el('summary', {}, '\u26a0 ' + count(row.warnings.length, 'warning')),
        el('ul', {}, row.warnings.map((text) => el('li', {}, plain(text)))),
      )),
  );
}

function groupHead(key, width, rows) {
  const marks = JSON.parse(key);
  const ranked = marks.map(([task]) => rankedOf.get(task).map((mark) => noteOf(task, mark)));
  const notes = marks.map(([task, mark]) => noteOf(task, mark));
  return el(
    'tr',
    { class: 'group' },
    el(
      'th',
      { scope: 'rowgroup', colspan: String(width) },
      el(
        'span',
        { class: 'group-text' },
        marks.map(([task, mark], at) => [
          mark ? chip(task, mark, true) : el('span', { class: 'mark' }, task + ' not measured'),
          notes[at] && notes[at].differs.length > 0 && el(
            'span',
            { class: 'facts' },
            factsApart(notes[at], ranked[at]),
          ),
        ]),
        el('span', { class: 'facts' }, '\u2014 ' + count(rows, 'row') + ', ranked on their own'),
      ),
    ),
  );
}

// Whether a column's task was asked by several protocols among these rows, so that none of them is its best.
function dividesBy(column, members) {
  if (!divided.includes(column.task)) return false;
  return new Set(members.map((row) => rankedAs(column.task, row.protocol[column.task] || ''))).size > 1;
}

// One more than the rows that are better, whichever way the column is sorted; equals share a rank.
function rankOf(row, members) {
  const column = columnOf.get(board.column);
  const own = cellOf(row, column)[0];
  if (typeof own !== 'number') return '';
  const values = members.map((other) => cellOf(other, column)[0]).filter((value) => typeof value === 'number');
  return String(1 + values.filter((value) => (column.higher_is_better ? value > own : value < own)).length);
}

function drawBoard() {
  const columns = visibleColumns();
  const rows = visibleRows();
  const groups = new Map();
  for (const row of rows) groups.set(groupOf(row), [...(groups.get(groupOf(row)) || []), row]);
  const table = $('board');
  // The heading that was pressed keeps the focus, though it is made anew.
  const focused = table.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const width = columns.length + 2;
  table.replaceChildren(
    el('caption', {}, 'One row for each model and sampler. Press a heading to sort by it.'),
    el('thead', {}, el(
      'tr',
      {},
      el('th', { scope: 'col', class: 'rank' }, '#', el('small', {})),
      headCell(null, 'Model', 'Sort by name'),
      columns.map((column) => {
        const n = about.get(column.key).n;
        return headCell(column.key, column.title, column.help, n === null ? '' : 'n ' + n.toLocaleString('en'));
      }),
    )),
    ...[...groups.keys()].sort().map((key) => {
      const members = groups.get(key).sort(compare);
      const best = new Map(columns.map((column) => {
        if (dividesBy(column, members)) return [column.key, null];
        const values = members.map((row) => cellOf(row, column)[0]).filter((value) => typeof value === 'number');
        // Where all are equal none is best.
        if (column.higher_is_better === null || new Set(values).size < 2) return [column.key, null];
        return [column.key, column.higher_is_better ? Math.max(...values) : Math.min(...values)];
      }));
      const ranked = board.column !== null && columnOf.get(board.column).higher_is_better !== null;
      return el(
        'tbody',
        {},
        groups.size > 1 && groupHead(key, width, members.length),
        members.map((row) => {
          return el(
            'tr',
            { 'data-row': row.id },
            el('td', { class: 'rank' }, ranked ? rankOf(row, members) : ''),
            labelCell(row),
            columns.map((column) => valueCell(row, column, best.get(column.key))),
          );
        }),
      );
    }),
  );
  $('found').textContent = rows.length === page.rows.length
    ? count(rows.length, 'row')
    : rows.length.toLocaleString('en') + ' of ' + count(page.rows.length, 'row');
  $('apart').hidden = groups.size < 2;
  const mixed = columns.filter((column) => [...groups.values()].some((members) => dividesBy(column, members)));
  $('mixed').hidden = mixed.length === 0;
  $('mixed-columns').textContent = mixed.map((column) => column.title).join(', ');
  offerSamples(table);
  if (focused !== undefined) [...table.querySelectorAll('.sort')].find((b) => b.dataset.key === focused)?.focus({ preventScroll: true });
}
