//! How a live view looks, on a terminal of any size.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row as TableRow, Table};

use super::screen::{Focus, Screen};
use crate::deploy::{Condition, Row, Traffic, Weight};
use crate::ui::printable;

/// Below this many columns, only what matters most is shown of a container.
const NARROW: u16 = 60;
/// Below this many, its times are left out.
const MEDIUM: u16 = 78;
/// Rows of the news at most.
const MOST_NEWS: u16 = 8;
/// Below this many rows there is no room for the news.
const LOW: u16 = 16;

const KEYS: &[(&str, &str)] = &[
    ("↑ ↓  k j", "choose a service, or scroll the log"),
    ("tab", "to the log, and back"),
    ("enter", "the log of the chosen service, or of all"),
    ("l", "follow the log again"),
    ("PgUp PgDn", "turn the log's pages"),
    ("q  Ctrl-C", "end; the app runs on"),
    ("?", "this"),
];

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let area = frame.area();
    let count = u16::try_from(table_rows(screen)).unwrap_or(u16::MAX);
    let low = area.height < LOW;
    let news = match low {
        true => 0,
        false => MOST_NEWS.min(area.height / 4),
    };
    // The log has what is left, and a few lines in any case.
    let room = area.height.saturating_sub(2 + news + 4);
    let [head, table, happened, log, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length((count.max(1) + 1).min(room.max(2))),
        Constraint::Length(news),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(headline(screen), head);
    services(frame, screen, table);
    recent(frame, screen, happened);
    log_tail(frame, screen, log);
    frame.render_widget(footer(screen, area.width), foot);
    if screen.help {
        help(frame, screen, area);
    }
}

impl Screen {
    fn ink(&self, colour: Color) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    fn weight(&self, weight: Weight) -> Style {
        match weight {
            Weight::Plain => Style::new(),
            Weight::Good => self.ink(Color::Green),
            Weight::Odd => self.ink(Color::Yellow),
            Weight::Bad => self.ink(Color::Red).add_modifier(Modifier::BOLD),
        }
    }
}

/// A text of somebody else's on one line, which can do nothing to the terminal.
fn plain(text: &str) -> String {
    printable(text).replace('\n', " ").replace('\t', "    ")
}

/// A time in two units at most.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h {minutes:02}m"),
        _ => format!("{days}d {hours:02}h"),
    }
}

fn headline(screen: &Screen) -> Line<'_> {
    let picture = &screen.picture;
    let strong = Style::new().add_modifier(Modifier::BOLD);
    let mut spans = vec![Span::styled(format!(" {} ", plain(&screen.app)), strong)];
    if picture.locked {
        spans.push(Span::styled("  LOCKED", screen.ink(Color::Yellow)));
    }
    if picture.lost {
        let style = screen.weight(Weight::Bad);
        spans.push(Span::styled("  THE DAEMON DOES NOT ANSWER", style));
    }
    match &picture.release {
        Some(release) => spans.push(Span::raw(format!(
            " release {release}, {} old",
            span(picture.age)
        ))),
        None => spans.push(Span::raw(" not deployed")),
    }
    if let Some(left) = picture.probation {
        let text = format!("  on probation, {} left", span(left));
        spans.push(Span::styled(text, screen.ink(Color::Yellow)));
    }
    if screen.look_only {
        spans.push(Span::raw("  (looking on)"));
    }
    Line::from(spans)
}

fn table_rows(screen: &Screen) -> usize {
    let services = screen.services().into_iter();
    let rows = services.map(|name| match rows(screen, name).count() {
        1 => 1,
        count => count + 1,
    });
    rows.sum()
}

fn rows<'a>(screen: &'a Screen, service: &str) -> impl Iterator<Item = &'a Row> {
    let service = service.to_owned();
    let rows = screen.picture.rows.iter();
    rows.filter(move |row| row.service == service)
}

fn services(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let narrow = area.width < NARROW;
    let medium = area.width < MEDIUM;
    let wide = area.width > 100;
    let name = if wide { 24 } else { 16 };
    let mut widths = vec![Constraint::Length(name), Constraint::Length(16)];
    let mut names = vec!["SERVICE", "HEALTH"];
    if !narrow {
        widths.push(Constraint::Min(12));
        names.push("STATE");
    }
    widths.extend([Constraint::Length(7), Constraint::Length(7)]);
    names.extend(["REQ/S", "ERRORS"]);
    if !medium {
        widths.extend([Constraint::Length(7), Constraint::Length(7)]);
        names.extend(["P50", "P99"]);
    }
    if area.width < 45 {
        widths.truncate(2);
        names.truncate(2);
    }
    let mut lines = Vec::new();
    for name in screen.services() {
        let own: Vec<&Row> = rows(screen, name).collect();
        let chosen = screen.chosen() == Some(name) && screen.focus == Focus::Services;
        let traffic = screen.stats.services.get(name);
        let style = match chosen {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        if let [row] = own[..] {
            lines.push(line(screen, name.to_owned(), row, traffic, narrow, medium).style(style));
            continue;
        }
        let well = own
            .iter()
            .filter(|row| row.condition == Condition::Healthy)
            .count();
        let health = format!("{well} of {}", own.len());
        let weight = match (well, well == own.len()) {
            (_, true) => Weight::Good,
            (0, _) => Weight::Bad,
            _ => Weight::Odd,
        };
        let mut cells = vec![
            Span::styled(plain(name), Style::new().add_modifier(Modifier::BOLD)),
            Span::styled(health, screen.weight(weight)),
        ];
        if !narrow {
            cells.push(Span::raw(""));
        }
        cells.extend(numbers(screen, traffic, medium));
        lines.push(TableRow::new(cells).style(style));
        for row in own {
            let traffic = row.target.as_ref();
            let traffic = traffic.and_then(|target| screen.stats.targets.get(target));
            let name = format!("  {}", row.replica);
            lines.push(line(screen, name, row, traffic, narrow, medium));
        }
    }
    if lines.is_empty() {
        lines.push(TableRow::new(["(no containers)"]));
    }
    let head = Style::new().add_modifier(Modifier::DIM);
    let table = Table::new(lines, widths).header(TableRow::new(names).style(head));
    frame.render_widget(table.column_spacing(1), area);
}

fn line<'a>(
    screen: &Screen,
    name: String,
    row: &Row,
    traffic: Option<&Traffic>,
    narrow: bool,
    medium: bool,
) -> TableRow<'a> {
    let weight = match row.condition {
        Condition::Healthy => Weight::Good,
        Condition::Unknown | Condition::Restarting | Condition::Replacing => Weight::Odd,
        Condition::Unhealthy | Condition::GivenUp | Condition::Gone => Weight::Bad,
        Condition::Stopped => Weight::Plain,
    };
    let out = if row.out { " (out)" } else { "" };
    let health = format!("{}{out}", row.condition.word());
    let mut cells = vec![
        Span::raw(plain(&name)),
        Span::styled(health, screen.weight(weight)),
    ];
    if !narrow {
        let state = match (row.condition, row.why.as_str()) {
            (Condition::Unhealthy | Condition::GivenUp | Condition::Gone, why)
                if !why.is_empty() =>
            {
                plain(why)
            }
            _ => plain(&row.status),
        };
        cells.push(Span::raw(state));
    }
    cells.extend(numbers(screen, traffic, medium));
    TableRow::new(cells)
}

fn numbers<'a>(screen: &Screen, traffic: Option<&Traffic>, medium: bool) -> Vec<Span<'a>> {
    let count = if medium { 2 } else { 4 };
    let Some(traffic) = traffic else {
        return vec![Span::raw(""); count];
    };
    let errors = match traffic.errors {
        0.0 => Span::raw("0 %"),
        part => Span::styled(format!("{:.1} %", part * 100.0), screen.weight(Weight::Bad)),
    };
    let time = |time: Option<Duration>| {
        let text = time.map_or_else(
            || "-".to_owned(),
            |time| match time.as_micros() {
                micros @ 0..10_000 => format!("{:.1}ms", micros as f64 / 1e3),
                _ => crate::ui::time(time),
            },
        );
        Span::raw(text)
    };
    let rate = match traffic.rate {
        rate if rate < 10.0 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    };
    let mut cells = vec![
        Span::raw(rate),
        errors,
        time(traffic.p50),
        time(traffic.p99),
    ];
    cells.truncate(count);
    cells
}

fn title(text: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).title(text)
}

fn recent(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let room = usize::from(area.height.saturating_sub(1));
    let skipped = screen.news.len().saturating_sub(room);
    let lines = screen.news.iter().skip(skipped).map(|news| {
        let time = news.time.strftime("%H:%M:%S ").to_string();
        Line::from(vec![
            Span::styled(time, Style::new().add_modifier(Modifier::DIM)),
            Span::styled(plain(&news.text), screen.weight(news.weight)),
        ])
    });
    let lines: Vec<Line<'_>> = lines.collect();
    frame.render_widget(
        Paragraph::new(lines).block(title(" events, UTC ".into())),
        area,
    );
}

fn log_tail(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let room = usize::from(area.height.saturating_sub(1));
    let mut shown: Vec<Line<'_>> = screen
        .lines()
        .rev()
        .skip(screen.above)
        .take(room)
        .map(|entry| {
            let who = format!("{}-{} │ ", plain(&entry.service), entry.replica);
            let style = match entry.error {
                true => screen.ink(Color::Yellow),
                false => Style::new(),
            };
            Line::from(vec![
                Span::styled(who, Style::new().add_modifier(Modifier::DIM)),
                Span::styled(plain(&entry.text), style),
            ])
        })
        .collect();
    shown.reverse();
    let of = screen
        .only
        .as_deref()
        .map_or("all services".to_owned(), plain);
    let place = match screen.above {
        0 => "following".to_owned(),
        above => format!("{above} lines above the end"),
    };
    let mark = if screen.focus == Focus::Log {
        "▸"
    } else {
        " "
    };
    let text = format!("{mark}log of {of}, {place} ");
    frame.render_widget(Paragraph::new(shown).block(title(text)), area);
}

fn footer(screen: &Screen, width: u16) -> Line<'static> {
    let text = match (screen.focus, width < NARROW) {
        (_, true) => " q end  ? help".to_owned(),
        (Focus::Services, _) => {
            " ↑↓ choose  enter its log alone  tab to the log  l follow  ? help  q end".to_owned()
        }
        (Focus::Log, _) => {
            " ↑↓ scroll  l follow  enter filter  tab to the services  ? help  q end".to_owned()
        }
    };
    Line::styled(text, Style::new().add_modifier(Modifier::DIM))
}

fn help(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let lines = KEYS.iter().map(|(keys, what)| {
        Line::from(vec![
            Span::styled(format!(" {keys:<11}"), screen.ink(Color::Cyan)),
            Span::raw(*what),
        ])
    });
    let lines: Vec<Line<'_>> = lines.collect();
    let width = area.width.min(58);
    let height = area
        .height
        .min(u16::try_from(KEYS.len() + 2).unwrap_or(u16::MAX));
    let middle = Rect {
        x: (area.width - width) / 2,
        y: (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, middle);
    let block = Block::bordered().title(" keys ");
    frame.render_widget(Paragraph::new(lines).block(block), middle);
}
