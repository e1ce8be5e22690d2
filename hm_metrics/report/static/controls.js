// What a reader chooses of the leaderboard: words of a name, menus, columns.

function menu(title, options, choose, every) {
  const select = el(
    'select',
    { on: { change: () => choose(select.value) } },
    el('option', { value: '' }, every),
    options.map((option) => el('option', { value: option }, option)),
  );
  return el('label', {}, el('span', {}, title), select);
}

function boardSection() {
  const facets = [...new Set(page.rows.flatMap((row) => Object.keys(row.facets)))];
  const tasks = tasksOfBoard;
  const search = el('input', {
    type: 'search', id: 'filter', placeholder: 'words of the name\u2026', autocomplete: 'off', spellcheck: false,
    on: { input: () => { board.text = search.value; drawBoard(); } },
  });
  page.columns.filter((column) => column.shown).forEach((column) => board.shown.add(column.key));
  sortByShown();
  return el(
    'section',
    { id: 'leaderboard' },
    el('h2', {}, 'Leaderboard'),
    el(
      'div',
      { class: 'controls' },
      el('label', {}, el('span', {}, 'Filter (press /)'), search),
      tasks.length > 1 && menu('task', tasks, (value) => { board.task = value; sortByShown(); drawBoard(); }, 'all'),
      facets.map((name) => {
        const values = [...new Set(page.rows.map((row) => row.facets[name]).filter((v) => v !== undefined))];
        values.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
        return values.length > 1 && menu(name, values, (value) => { board.facets[name] = value; drawBoard(); }, 'all');
      }),
      el(
        'details',
        { class: 'pick' },
        el('summary', {}, 'Columns'),
        el('div', {}, page.columns.map((column) => el(
          'label',
          { title: column.help },
          el('input', {
            type: 'checkbox', checked: board.shown.has(column.key),
            on: { change: (event) => {
              board.shown[event.target.checked ? 'add' : 'delete'](column.key);
              sortByShown();
              drawBoard();
            } },
          }),
          column.title + (column.task && tasks.length > 1 && !column.title.startsWith(column.task) ? ' (' + column.task + ')' : ''),
        ))),
      ),
      el('output', { id: 'found', 'aria-live': 'polite' }),
    ),
    el('p', { id: 'apart', class: 'notice', hidden: true },
      'These rows were measured under different protocols. They are listed apart and ranked only among their own kind; ',
      el('a', { href: '#protocols' }, 'what differs'), '.'),
    el('p', { id: 'mixed', class: 'notice', hidden: true },
      'Columns whose rows were measured under different protocols, so that none of them is marked as the best: ',
      el('span', { id: 'mixed-columns' }), '. Sort by one of them to see its rows apart.'),
    el('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'Leaderboard' }, el('table', { id: 'board' })),
  );
}
