// Everything of the report but the leaderboard and the samples.

const NUMERIC = /^[\s(\[]*[-+\u2212\u00b1<>=~\u2248]*\s*\d[\d\s.,%eE\u2026:\u2013()\[\]<>*\u00b1+\u2212-]*$/;

function introSection() {
  return el(
    'section',
    { id: 'summary' },
    el('h1', {}, plain(page.title)),
    page.summary.map((line) => el('p', { class: 'lead' }, plain(line))),
    page.figures.length > 0 && el('div', { id: 'figures', class: 'figures' }, figure(0)),
    el('details', { id: 'how' }, el('summary', {}, 'How to read this'), howTo()),
  );
}

function howTo() {
  const item = (term, ...text) => [el('dt', {}, term), el('dd', {}, text)];
  const mark = page.protocols[0];
  return el(
    'dl',
    {},
    item('A row', 'is one model as it was measured: which one, how it was merged, at which temperature. Press a ',
      'heading to sort by it, press it again to turn the order around. What was not measured, or could not be ',
      'scored, is \u2013 and comes last.'),
    item('A value', ' has its 95 % interval beneath it and as a bar: the bar is the interval, the line is the value, ',
      'and all bars of a column share one scale, from its smallest to its greatest end. n is the number of ',
      'questions behind it. The best value of each column is bold. Two bars that overlap may still belong to a ',
      'real difference, because the models answered the same questions: the tables of differences compare question ',
      'by question, and are what to believe.'),
    item('A mark', ' such as ', mark ? chip(mark.task, mark.mark) : el('b', {}, 'A'), ' names the protocol of a ',
      'task: samples per question, temperature, prompts, data, judge and so on. Values of different marks are ',
      'answers to different questions. Such rows are listed apart and never ranked together, unless they differ in ',
      'prompts or sampler alone, as a base that is asked by completion does: it stands beside its merges with its ',
      'own mark. ', el('a', { href: '#protocols' }, 'Protocols'), ' says in what they differ.'),
    item('Samples', ' under a name opens what the models wrote, a question at a time and several models side by ',
      'side. ', el('kbd', {}, 'n'), ' and ', el('kbd', {}, 'p'), ' go to the next and the previous question, ',
      el('kbd', {}, 't'), ' changes between program and raw text, ', el('kbd', {}, 'g'), ' groups equal samples, ',
      el('kbd', {}, 'd'), ' shows what differs, ', el('kbd', {}, '/'), ' goes to the filter, ',
      el('kbd', {}, 'Esc'), ' comes back here. Words that a model\u2019s first sample does not have are ',
      el('mark', {}, 'marked'), ', and a bar stands where some of its words are missing; ',
      el('i', {}, 'compare'), ' takes another sample for the first. The number of a sample is a link to it, ',
      'which can be kept and passed on.'),
    item('A verdict', ' comes from running the program: ', badge('pass', 'base tests'), ' on the benchmark\u2019s own ',
      'tests, ', badge('fail', 'extra tests'), ' on the extra ones. A sample passes when it passes all that it has.'),
    item('This file', ' is complete. It loads nothing, sends nothing, and shows what models wrote as plain text; ',
      'characters that cannot be seen are spelled out, ', plain('like \u0000 and \u202e'), '.'),
  );
}

const LONG = 24; // letters of a cell that may not be pressed into a narrow column

function tableParts(table) {
  const kind = (text) => (NUMERIC.test(text) ? 'figure' : text.length > LONG ? 'words long' : 'words');
  return [
    table.help && el('p', { class: 'help' }, plain(table.help)),
    el(
      'div',
      { class: 'wide', tabindex: '0', role: 'region', 'aria-label': table.title },
      el(
        'table',
        { class: 'plain' },
        el('thead', {}, el('tr', {}, table.head.map((title, column) => el(
          'th', { scope: 'col', class: column && table.rows.length && table.rows.every((row) => NUMERIC.test(row[column])) ? 'figure' : '' }, plain(title))))),
        el('tbody', {}, table.rows.map((row) => el(
          'tr',
          {},
          row.map((text, column) => column === 0
            ? el('th', { scope: 'row' }, plain(text))
            : el('td', { class: kind(text) }, plain(text))),
        ))),
      ),
    ),
  ];
}

function tableSections() {
  return page.tables.map((table, at) => el(
    'section',
    { id: 'table-' + at },
    el('h2', {}, plain(table.title)),
    tableParts(table),
    table.folded && el('details', { class: 'folded' }, el('summary', {}, plain(table.folded.title)), tableParts(table.folded)),
  ));
}

function figure(at) {
  const [title, caption, file] = page.figures[at];
  return el(
    'figure',
    {},
    el('div', { class: 'picture', tabindex: '0', role: 'region', 'aria-label': 'Picture: ' + title },
      el('img', { 'data-figure': String(at), alt: title })),
    el('figcaption', {}, el('b', {}, plain(title)), ' ', plain(caption),
      file && el('span', { class: 'file' }, ' Also beside this file: ', el('code', {}, plain(file)))),
  );
}

// All but the first, which stands before the leaderboard.
function figureSection() {
  return page.figures.length > 1 && el(
    'section',
    { id: 'more-figures' },
    el('h2', {}, 'Figures'),
    el('div', { class: 'figures' }, page.figures.slice(1).map((_, at) => figure(at + 1))),
  );
}

// The pictures come behind the script in the file: they are shown when the whole file is read.
function showFigures() {
  for (const image of document.querySelectorAll('img[data-figure]')) {
    image.src = 'data:image/png;base64,' + $('figure-' + image.dataset.figure).textContent;
  }
}

function protocolSection() {
  return page.protocols.length > 0 && el(
    'section',
    { id: 'protocols' },
    el('h2', {}, 'Protocols'),
    el('p', { class: 'help' }, 'How each task was measured. Marks of a task differ in the facts that have a bar beside them. Rows of ',
      'different marks are ranked together where these are prompts or sampler alone.'),
    el('div', { class: 'beside' }, [...marksOf.keys()].sort().map((task) => {
      const notes = page.protocols.filter((note) => note.task === task).sort((a, b) => (a.mark < b.mark ? -1 : 1));
      const names = [...new Set(notes.flatMap((note) => [...note.differs, ...Object.keys(note.facts)]))];
      const differs = new Set(notes.flatMap((note) => note.differs));
      names.sort((a, b) => differs.has(b) - differs.has(a));
      return el(
        'div',
        { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'Protocols of ' + task },
        el(
          'table',
          { class: 'plain facts-table' },
          el('thead', {}, el(
            'tr',
            {},
            el('th', { scope: 'col' }, task),
            notes.map((note) => el('th', { scope: 'col' }, chip(task, note.mark), ' ',
              el('small', {}, count(page.rows.filter((row) => row.protocol[task] === note.mark).length, 'row')))),
          )),
          el('tbody', {}, names.map((name) => el(
            'tr',
            { class: differs.has(name) ? 'differs' : '' },
            el('th', { scope: 'row' }, name, differs.has(name) && el('small', {}, ' differs')),
            notes.map((note) => el('td', {}, name in note.facts ? plain(note.facts[name]) : '\u2013')),
          ))),
        ),
      );
    })),
  );
}

function noteSection() {
  return page.notes.length > 0 && el(
    'section',
    { id: 'notes' },
    el('h2', {}, 'Notes'),
    el('ul', {}, page.notes.map((text) => el('li', {}, plain(text)))),
  );
}
