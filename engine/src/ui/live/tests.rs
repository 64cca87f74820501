//! What the live view shows, at several sizes and in several states, and what keys do to it.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw::draw;
use super::screen::{Focus, Next, Screen};
use crate::deploy::{Condition, Event, LogEntry, News, Picture, Row, Traffic, WatchEvent};

fn row(service: &str, replica: u32, condition: Condition) -> Row {
    Row {
        id: format!("{service}{replica}"),
        container: format!("shop-{service}-{replica}"),
        service: service.to_owned(),
        replica,
        release: "1abcdefgh".to_owned(),
        target: Some(format!("{service}-{replica}-1abcdefgh")),
        status: "Up 3 minutes".to_owned(),
        condition,
        why: String::new(),
        out: false,
        restarts: 0,
    }
}

fn told(service: &str, news: News) -> Event {
    Event::Watch(WatchEvent {
        time: "2026-03-01T10:20:30Z".parse().expect("a time"),
        service: Some(service.to_owned()),
        container: Some(format!("shop-{service}-1")),
        news,
    })
}

fn screen() -> Screen {
    let sick = Row {
        why: "GET /healthz answers 500".to_owned(),
        out: true,
        restarts: 1,
        ..row("web", 1, Condition::Unhealthy)
    };
    let mut screen = Screen {
        app: "shop".to_owned(),
        picture: Picture {
            release: Some("1abcdefgh".to_owned()),
            age: Duration::from_secs(187),
            probation: Some(Duration::from_secs(413)),
            rows: vec![
                row("db", 1, Condition::Healthy),
                sick,
                row("web", 2, Condition::Healthy),
                row("worker", 1, Condition::Unknown),
            ],
            ..Picture::default()
        },
        ..Screen::default()
    };
    let traffic = Traffic {
        rate: 1234.4,
        errors: 0.0125,
        p50: Some(Duration::from_micros(1_420)),
        p99: Some(Duration::from_millis(31)),
    };
    screen.stats.services.insert("web".to_owned(), traffic);
    let why = "GET /healthz answers 500".to_owned();
    let now = Timestamp::UNIX_EPOCH;
    screen.happened(&told("web", News::Unhealthy { why }), now);
    screen.happened(&told("web", News::Out), now);
    for number in 0..40 {
        let service = if number % 2 == 0 { "web" } else { "db" };
        screen.printed(LogEntry {
            service: service.to_owned(),
            replica: 1,
            text: format!("line {number}\u{1b}[31m red\u{7}\tend"),
            error: false,
        });
    }
    screen
}

fn drawn(screen: &Screen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal
        .draw(|frame| draw(frame, screen))
        .expect("it draws");
    let buffer = terminal.backend().buffer();
    let row = |y| {
        (0..width)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
    };
    let rows = (0..height).map(|y| row(y).trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

macro_rules! shows {
    ($name:literal, $screen:expr, $width:literal, $height:literal) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, drawn(&$screen, $width, $height));
        });
    };
}

#[test]
fn it_fits_terminals_of_any_size() {
    shows!("wide", screen(), 120, 30);
    shows!("usual", screen(), 80, 24);
    shows!("narrow", screen(), 44, 20);
    shows!("low", screen(), 80, 10);
    // Nothing that is drawn has to be readable here.
    for (width, height) in [(1, 1), (3, 2), (10, 3), (200, 4), (300, 100)] {
        drawn(&screen(), width, height);
        let help = Screen {
            help: true,
            ..screen()
        };
        drawn(&help, width, height);
    }
}

#[test]
fn it_tells_what_is_the_matter() {
    let mut lost = screen();
    (lost.picture.lost, lost.picture.locked) = (true, true);
    (lost.focus, lost.above) = (Focus::Log, 3);
    lost.only = Some("db".to_owned());
    shows!("lost", lost, 80, 24);
    shows!(
        "nothing",
        Screen {
            app: "shop".to_owned(),
            look_only: true,
            ..Screen::default()
        },
        80,
        16
    );
    shows!(
        "help",
        Screen {
            help: true,
            ..screen()
        },
        80,
        24
    );
}

fn press(screen: &mut Screen, codes: &[KeyCode]) {
    for code in codes {
        assert_eq!(
            screen.key(KeyEvent::new(*code, KeyModifiers::NONE)),
            Next::On
        );
    }
}

#[test]
fn keys_choose_services_and_scroll_the_log() {
    let mut screen = screen();
    assert_eq!(screen.chosen(), Some("db"));
    press(
        &mut screen,
        &[
            KeyCode::Down,
            KeyCode::Char('j'),
            KeyCode::Down,
            KeyCode::Down,
        ],
    );
    assert_eq!(screen.chosen(), Some("worker"), "the last one");
    press(&mut screen, &[KeyCode::Up, KeyCode::Enter]);
    assert_eq!(screen.only.as_deref(), Some("web"));
    assert!(screen.lines().all(|line| line.service == "web"));
    press(&mut screen, &[KeyCode::Tab, KeyCode::Up, KeyCode::Up]);
    assert_eq!((screen.focus, screen.above), (Focus::Log, 2));
    // What comes meanwhile moves nothing that is looked at.
    let entry = |service: &str| LogEntry {
        service: service.to_owned(),
        replica: 1,
        text: "new".to_owned(),
        error: false,
    };
    screen.printed(entry("web"));
    screen.printed(entry("db"));
    assert_eq!(screen.above, 3);
    press(&mut screen, &[KeyCode::Char('l')]);
    assert_eq!(screen.above, 0);
    press(
        &mut screen,
        &[
            KeyCode::PageUp,
            KeyCode::PageUp,
            KeyCode::PageUp,
            KeyCode::PageUp,
        ],
    );
    assert_eq!(screen.above, screen.lines().count() - 1, "the first line");
    press(&mut screen, &[KeyCode::Enter]);
    assert_eq!((screen.only.as_ref(), screen.above), (None, 0));
}

#[test]
fn keys_explain_and_end() {
    let mut screen = screen();
    press(&mut screen, &[KeyCode::Char('?')]);
    assert!(screen.help);
    press(&mut screen, &[KeyCode::Esc]);
    assert!(!screen.help);
    let end = |screen: &mut Screen, code, modifiers| screen.key(KeyEvent::new(code, modifiers));
    let control = KeyModifiers::CONTROL;
    assert_eq!(end(&mut screen, KeyCode::Char('c'), control), Next::End);
    assert_eq!(
        end(&mut screen, KeyCode::Char('c'), KeyModifiers::NONE),
        Next::On
    );
    assert_eq!(
        end(&mut screen, KeyCode::Char('q'), KeyModifiers::NONE),
        Next::End
    );
}

#[test]
fn what_is_kept_has_bounds() {
    let mut screen = screen();
    for _ in 0..5000 {
        screen.happened(&told("web", News::Out), Timestamp::UNIX_EPOCH);
        screen.printed(LogEntry {
            service: "web".to_owned(),
            replica: 1,
            text: String::new(),
            error: false,
        });
    }
    assert!(screen.news.len() <= 200 && screen.log.len() <= 2000);
}
