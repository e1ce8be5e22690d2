// The sample browser: one question, several rows side by side.

const SHOWN = 4; // columns to begin with
const samples = { tasks: [], questions: [], keys: new Map(), at: -1, rows: [], raw: false, grouped: true, differing: true,
  against: null, one: null, entered: false, kind: 'all', text: '' };
const rowNumber = new Map(page.rows.map((row, at) => [row.id, at]));
// A question in an address; slashes of its name stay readable.
const keyOf = (task, name) => encode(task) + '/' + encode(name).replaceAll('%2F', '/');

// Called when the whole file is read.
function readIndex() {
  const index = JSON.parse($('index').textContent);
  samples.tasks = index.tasks;
  samples.questions = index.questions.map(([task, name, counts]) => {
    return { task: index.tasks[task], name, key: keyOf(index.tasks[task], name), counts: new Map(counts.map(([row, ...rest]) => [row, rest])) };
  });
  samples.questions.forEach((question, at) => samples.keys.set(question.key, at));
  samples.answered = new Set(samples.questions.flatMap((question) => [...question.counts.keys()]));
}

// Rows without samples have no link to them; before the file is read none has.
function offerSamples(inside) {
  for (const link of inside.querySelectorAll('.to-samples')) {
    link.hidden = !(samples.answered && samples.answered.has(rowNumber.get(link.dataset.row)));
  }
}

// One question out of the file: base64, zlib, JSON.
async function unpack(at) {
  if (typeof DecompressionStream === 'undefined') {
    throw new Error('This browser is too old to unpack samples. It takes Chrome 80, Firefox 113, Safari 16.4 or later.');
  }
  const letters = atob($('question-' + at).textContent);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return JSON.parse(await new Response(stream).text());
}

// The row and those that are nearest to it by their facets, in the page's order.
function companions(task, id) {
  const have = page.rows.filter((row) => samples.questions.some((q) => q.task === task && q.counts.has(rowNumber.get(row.id))));
  const from = have.find((row) => row.id === id) || have[0];
  if (!from) return [];
  // The first facet, the family, counts more than all others together, and so on.
  const names = Object.keys(from.facets);
  const shared = (row) => names.reduce((sum, name) => 2 * sum + (row.facets[name] === from.facets[name] ? 1 : 0), 0);
  const nearest = [...have].sort((a, b) => (b === from) - (a === from) || shared(b) - shared(a)).slice(0, SHOWN);
  return have.filter((row) => nearest.includes(row)).map((row) => row.id);
}

// Of a question, or of one sample, [row's id, its number from 1].
function addressOf(at, rows, one) {
  return '#sample=' + samples.questions[at].key + '&rows=' + (rows || samples.rows).map(encode).join(',') +
    (one ? '&one=' + encode(one[0]) + ':' + one[1] : '');
}

function goTo(at, rows) {
  location.replace(addressOf(at, rows));
}

// {sample: key, rows: [id], one: [id, number]} of an address, or null where it is none of ours.
function readAddress(hash) {
  if (!hash.startsWith('#sample=')) return null;
  const fields = new Map(hash.slice(1).split('&').map((part) => [part.split('=', 1)[0], part.slice(part.indexOf('=') + 1)]));
  const rows = (fields.get('rows') || '').split(',').filter(Boolean);
  const ids = new Map(page.rows.map((row) => [encode(row.id), row.id]));
  try {
    const known = (row) => ids.get(encode(decodeURIComponent(row)));
    const [task, ...name] = fields.get('sample').split('/').map(decodeURIComponent);
    const [, row, number] = (fields.get('one') || '').match(/^(.*):(\d+)$/) || [];
    return {
      sample: keyOf(task, name.join('/')),
      rows: rows.map(known).filter((id) => id !== undefined),
      one: row === undefined ? null : [known(row), Number(number)],
    };
  } catch {
    return { sample: fields.get('sample'), rows: [], one: null };
  }
}

function solved(question, id) {
  const counts = question.counts.get(rowNumber.get(id));
  return counts && counts[1] ? counts : null;
}

function fits(question) {
  if (!question.key.toLowerCase().includes(encode(samples.text).toLowerCase()) &&
      !(question.task + '/' + question.name).toLowerCase().includes(samples.text.toLowerCase())) return false;
  if (samples.kind === 'all') return true;
  const found = samples.rows.map((id) => solved(question, id)).filter(Boolean).map(([passed]) => passed > 0);
  if (!found.length) return false;
  const some = found.includes(true);
  const every = !found.includes(false);
  return { differ: some && !every, every, none: !some }[samples.kind];
}

function strip(question) {
  return el('span', { class: 'strip' }, samples.rows.map((id) => {
    const counts = question.counts.get(rowNumber.get(id));
    if (!counts) return el('i', { title: id + ': no samples' }, '\u00b7');
    const [passed, scored, all] = counts;
    if (!scored) return el('i', { title: id + ': ' + count(all, 'sample') }, String(all));
    return el('i', { class: passed ? 'some' : '', style: { '--share': (passed / scored).toFixed(2) },
      title: id + ': ' + passed + ' of ' + scored + ' pass' }, String(passed));
  }));
}

function drawList() {
  const here = samples.questions[samples.at];
  const list = samples.questions.map((question, at) => [question, at]).filter(([question]) => fits(question));
  $('questions').replaceChildren(...list.map(([question, at]) => el(
    'li',
    {},
    el('a', { href: addressOf(at), 'aria-current': question === here ? 'true' : null, 'data-at': String(at),
      on: { click: (event) => { event.preventDefault(); goTo(at); } } },
    el('span', {}, samples.tasks.length > 1 && el('small', {}, question.task + ' '), plain(question.name)), strip(question)),
  )));
  $('listed').textContent = list.length === samples.questions.length
    ? count(list.length, 'question')
    : list.length.toLocaleString('en') + ' of ' + count(samples.questions.length, 'question');
  markHere();
}

function markHere() {
  for (const link of $('questions').querySelectorAll('a')) {
    if (Number(link.dataset.at) === samples.at) {
      link.setAttribute('aria-current', 'true');
      link.scrollIntoView({ block: 'nearest' });
    } else link.removeAttribute('aria-current');
  }
}

// The next question of those listed, or from here on where this one is not listed.
function step(by) {
  const listed = [...$('questions').querySelectorAll('a')].map((link) => Number(link.dataset.at));
  const next = by > 0 ? listed.find((at) => at > samples.at) : listed.filter((at) => at < samples.at).pop();
  if (next !== undefined) goTo(next);
}

function chooseRows(rows) {
  if (rows.length) goTo(samples.at, rows);
}

// `arrived`: at an address, whose sample is gone to; else the focus stays where it is.
async function drawQuestion(arrived) {
  const at = samples.at;
  const question = samples.questions[at];
  $('question-name').replaceChildren(...plain(question.name));
  $('question-task').textContent = question.task;
  let content;
  try {
    content = await unpack(at);
  } catch (error) {
    $('columns').replaceChildren(el('p', { class: 'notice' }, 'These samples cannot be shown. ' + error.message));
    return;
  }
  if (at !== samples.at) return; // another question was opened meanwhile
  $('prompt').replaceChildren(...plain(content.prompt));
  $('entry-point').replaceChildren(...(content.entry_point ? ['asks for ', el('code', {}, plain(content.entry_point))] : []));
  $('columns').replaceChildren(...samples.rows.map((id) => rowColumn(id, content)));
  $('columns').dataset.at = String(at);
  if (!samples.entered) $('question-title').focus({ preventScroll: true });
  samples.entered = true;
  const here = $('columns').querySelector('.here');
  if (here && arrived) {
    here.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    here.focus({ preventScroll: true });
  }
}

function drawPicker() {
  const question = samples.questions[samples.at];
  const have = page.rows.filter((row) => samples.answered.has(rowNumber.get(row.id)));
  $('rows-title').textContent = 'Models: ' + samples.rows.length + ' of ' + have.length;
  $('rows').replaceChildren(...have.map((row) => el(
    'label',
    {},
    el('input', {
      type: 'checkbox', checked: samples.rows.includes(row.id), 'data-row': row.id,
      on: { change: (event) => {
        const chosen = new Set(samples.rows);
        chosen[event.target.checked ? 'add' : 'delete'](row.id);
        event.target.checked = chosen.size > 0 && event.target.checked;
        chooseRows(page.rows.map((other) => other.id).filter((other) => chosen.has(other)));
      } },
    }),
    row.protocol[question.task] && chip(question.task, row.protocol[question.task]),
    el('span', {}, plain(row.label)),
  )));
}

function toggle(name) {
  samples[name] = !samples[name];
  $('toggle-' + name).setAttribute('aria-pressed', String(samples[name]));
  drawQuestion();
}

function browserParts() {
  const button = (id, text, act, more) => el('button', { type: 'button', id, on: { click: act }, ...more }, text);
  const search = el('input', { type: 'search', id: 'question-filter', placeholder: 'number or name\u2026', autocomplete: 'off',
    on: { input: () => { samples.text = search.value; drawList(); } } });
  const kinds = el('select', { id: 'kinds', on: { change: () => { samples.kind = kinds.value; drawList(); } } },
    [['all', 'all questions'], ['differ', 'only some models pass'], ['every', 'every model passes'], ['none', 'no model passes']]
      .map(([value, text]) => el('option', { value }, text)));
  return [
    el('aside', { 'aria-label': 'Questions' },
      el('div', { class: 'controls' },
        el('label', {}, el('span', {}, 'Questions (press /)'), search),
        el('label', {}, el('span', {}, 'of the models shown'), kinds),
        el('output', { id: 'listed', 'aria-live': 'polite' })),
      el('ol', { id: 'questions' })),
    el('div', { class: 'question' },
      el('div', { class: 'bar-top' },
        el('a', { id: 'back', href: '#leaderboard' }, '\u2190 Report'),
        button('previous', '\u2039 previous', () => step(-1), { title: 'The question before (p)' }),
        button('next', 'next \u203a', () => step(1), { title: 'The question after (n)' }),
        el('h1', { id: 'question-title', tabindex: '-1' }, el('small', { id: 'question-task' }), ' ', el('span', { id: 'question-name' }), ' ',
          el('small', { id: 'entry-point' })),
        button('toggle-raw', 'raw text', () => toggle('raw'), { 'aria-pressed': 'false', title: 'What the model wrote, before a program was taken out of it (t)' }),
        button('toggle-grouped', 'group equal', () => toggle('grouped'), { 'aria-pressed': 'true', title: 'Equal samples of a model as one (g)' }),
        button('toggle-differing', 'differences', () => toggle('differing'), { 'aria-pressed': 'true', title: 'Mark what differs from the first sample of a model (d)' }),
        el('details', { class: 'pick' }, el('summary', { id: 'rows-title' }), el('div', { id: 'rows' }))),
      el('details', { open: true, class: 'prompt' }, el('summary', {}, 'Prompt'), el('pre', { id: 'prompt', tabindex: '0' })),
      el('div', { id: 'columns', tabindex: '0', role: 'region', 'aria-label': 'Samples' })),
  ];
}

// Show what the address names. Returns whether the browser is open.
function openBrowser(wanted) {
  if (!samples.questions.length) return false;
  const first = wanted.rows.length ? samples.questions.findIndex((q) => q.counts.has(rowNumber.get(wanted.rows[0]))) : 0;
  const known = samples.keys.has(wanted.sample);
  const at = known ? samples.keys.get(wanted.sample) : Math.max(first, 0);
  // A link of a row names that row alone: those beside it are chosen here, and the address completed.
  if (!known || !wanted.rows.length) {
    goTo(at, companions(samples.questions[at].task, wanted.rows[0]));
    return true;
  }
  const same = wanted.rows.join('\n') === samples.rows.join('\n') && samples.at !== -1;
  if (at !== samples.at || !wanted.rows.includes((samples.against || [])[0])) samples.against = null;
  samples.at = at;
  samples.rows = wanted.rows;
  samples.one = wanted.one;
  if (!$('questions')) $('browser').replaceChildren(...browserParts());
  if (same) markHere();
  else drawList();
  if (!same || !$('rows').childElementCount) drawPicker();
  drawQuestion(true);
  return true;
}
