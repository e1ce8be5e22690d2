// Samples as cards: what was written, its verdicts, and what differs from another.

const GLYPH = { pass: '\u2713', fail: '\u2717', timeout: '\u23f1', unscored: '?' };

function badge(word, of) {
  const kind = word in GLYPH ? word : 'other';
  return el('span', { class: 'badge ' + kind }, GLYPH[word] ? GLYPH[word] + ' ' : '', of ? of + ': ' : '', plain(word));
}

// What is shown of an outcome: its text, and whether that is the raw one.
function shownOf([text, made]) {
  const program = made === 0 ? text : made;
  const raw = samples.raw || !program;
  return [raw ? text : program, raw];
}

function sampleCard(id, outcome, numbers, total, content, against) {
  const [, , base, plus, why] = outcome;
  const [text, raw] = shownOf(outcome);
  const badges = base && plus ? [badge(base, 'base'), badge(plus, 'extra')] : [base || plus ? badge(base || plus) : null];
  const is = (one) => one && one[0] === id && numbers.includes(one[1]);
  const compared = samples.differing && against !== null && against !== outcome;
  const [parts, fresh] = compared ? marked(text, shownOf(against)[0]) : [plain(text), 0];
  const label = 'sample ' + numbers.join(', ') + ' of ' + page.rows[rowNumber.get(id)].label;
  return el(
    'article',
    { class: 'sample' + (is(samples.one) ? ' here' : ''), tabindex: is(samples.one) ? '-1' : null, 'aria-label': label },
    el('header', {},
      el('a', { class: 'numbers', title: 'link to this sample', href: addressOf(samples.at, null, [id, numbers[0]]) }, '#' + numbers.join(', #')),
      numbers.length > 1 && el('span', { class: 'times' }, '\u00d7' + numbers.length + ' of ' + total),
      compared && el('span', { class: 'fresh' }, count(fresh, 'word') + (fresh === 1 ? ' differs' : ' differ')),
      badges,
      samples.differing && el('button', { type: 'button', class: 'compare', 'aria-pressed': String(is(samples.against) || false),
        'aria-label': 'compare all with ' + label, on: { click: () => compareWith(is(samples.against) ? null : [id, numbers[0]]) } }, 'compare')),
    content.reasons[why] && el('p', { class: 'reason' }, plain(content.reasons[why])),
    raw && !samples.raw && el('p', { class: 'reason' }, base || plus ? 'no program found; the raw text:' : null),
    el('pre', { tabindex: '0', class: raw || !content.entry_point ? 'raw' : '', 'aria-label': 'text of ' + label }, parts),
  );
}

function compareWith(one) {
  samples.against = one;
  drawQuestion();
}

// The outcome that a row's samples are compared with: the one that the reader chose, else the row's first.
function referenceOf(id, content) {
  const [row, number] = samples.against || [id, 1];
  const places = content.rows[rowNumber.get(row)] || [];
  return places.length ? content.outcomes[places[number - 1]] || null : null;
}

function rowColumn(id, content) {
  const row = page.rows[rowNumber.get(id)];
  const question = samples.questions[samples.at];
  const places = content.rows[rowNumber.get(id)] || [];
  const groups = new Map();
  places.forEach((place, at) => {
    const key = samples.grouped ? place : at;
    groups.set(key, [place, [...(groups.has(key) ? groups.get(key)[1] : []), at + 1]]);
  });
  const counts = solved(question, id);
  return el(
    'section',
    { class: 'column', 'data-row': id, 'aria-label': row.label },
    el('header', {},
      el('h2', {}, plain(row.label)),
      el('span', { class: 'under' },
        row.protocol[question.task] && chip(question.task, row.protocol[question.task]),
        counts ? counts[0] + ' of ' + counts[1] + ' pass' : count(places.length, 'sample'),
        counts && counts[1] < counts[2] && ', ' + (counts[2] - counts[1]) + ' unscored'),
      samples.rows.length > 1 && el('button', { type: 'button', class: 'drop', 'aria-label': 'Take ' + row.label + ' away',
        on: { click: () => chooseRows(samples.rows.filter((other) => other !== id)) } }, '\u00d7')),
    places.length === 0 && el('p', { class: 'reason' }, 'no samples of this question'),
    [...groups.values()].map(([place, numbers]) => sampleCard(id, content.outcomes[place], numbers, places.length, content, referenceOf(id, content))),
  );
}
