//! What a live view shows, and what keys do to it. Nothing here knows a terminal.

use std::collections::VecDeque;

use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::deploy::{Event, LogEntry, Picture, Stats, Weight};

/// Lines of the log that are kept.
const LOG_LINES: usize = 2000;
/// News that are kept.
const NEWS: usize = 200;
/// Lines that a page is, for the keys that turn them.
const PAGE: usize = 10;

/// All that is shown.
#[derive(Debug, Default)]
pub struct Screen {
    /// The app.
    pub app: String,
    /// True if nothing is done but looking.
    pub look_only: bool,
    /// True if colours are to be used.
    pub colour: bool,
    /// The app as it is.
    pub picture: Picture,
    /// What clients see.
    pub stats: Stats,
    /// What happened, the latest last.
    pub news: VecDeque<NewsLine>,
    /// What containers printed, the latest last.
    pub log: VecDeque<LogEntry>,
    /// Where the keys go.
    pub focus: Focus,
    /// The place of the chosen service.
    pub chosen: usize,
    /// The service whose log is shown alone.
    pub only: Option<String>,
    /// How many lines the log is above its end; 0 follows it.
    pub above: usize,
    /// True while the keys are explained.
    pub help: bool,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsLine {
    /// When.
    pub time: Timestamp,
    /// To whom and what.
    pub text: String,
    /// How much it matters.
    pub weight: Weight,
}

/// Where the keys go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Focus {
    /// To the services.
    #[default]
    Services,
    /// To the log.
    Log,
}

/// What a key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It goes on.
    On,
    /// It ends.
    End,
}

impl Screen {
    /// The services, in their order.
    pub fn services(&self) -> Vec<&str> {
        let mut services: Vec<&str> = Vec::new();
        for row in &self.picture.rows {
            if services.last() != Some(&row.service.as_str()) {
                services.push(&row.service);
            }
        }
        services
    }

    /// The chosen service.
    pub fn chosen(&self) -> Option<&str> {
        let services = self.services();
        services
            .get(self.chosen.min(services.len().saturating_sub(1)))
            .copied()
    }

    /// The lines of the log that are to be seen.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        let only = self.only.as_deref();
        let lines = self.log.iter();
        lines.filter(move |line| only.is_none_or(|only| line.service == only))
    }

    /// Takes in what happened.
    pub fn happened(&mut self, event: &Event, now: Timestamp) {
        let (time, text, weight) = match event {
            Event::Watch(told) => {
                let who = told.container.as_ref().or(told.service.as_ref());
                let who = who.map_or_else(String::new, |who| format!("{who} "));
                (told.time, format!("{who}{}", told.news), told.news.weight())
            }
            Event::Warning { message, .. } => (now, message.clone(), Weight::Odd),
            Event::StepStarted {
                operation,
                service,
                object,
                ..
            } => {
                let words = [
                    Some(&(*operation).to_owned()),
                    service.as_ref(),
                    object.as_ref(),
                ];
                let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
                (now, format!("… {}", words.join(" ")), Weight::Plain)
            }
            Event::PluginLog(record) => {
                let text = format!("{}: {}", record.plugin, record.message);
                (now, text, Weight::Plain)
            }
            _ => return,
        };
        self.news.push_back(NewsLine { time, text, weight });
        while self.news.len() > NEWS {
            self.news.pop_front();
        }
    }

    /// Takes in a line of a log. Who has scrolled up stays where they are.
    pub fn printed(&mut self, entry: LogEntry) {
        let shown = self.only.as_ref().is_none_or(|only| *only == entry.service);
        if self.above > 0 && shown {
            self.above += 1;
        }
        self.log.push_back(entry);
        while self.log.len() > LOG_LINES {
            self.log.pop_front();
        }
        self.above = self.above.min(self.log.len());
    }

    /// Does what a key is for.
    pub fn key(&mut self, key: KeyEvent) -> Next {
        if key.kind == KeyEventKind::Release {
            return Next::On;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Next::End,
            KeyCode::Char('q') => return Next::End,
            _ if self.help => self.help = false,
            KeyCode::Char('?') => self.help = true,
            KeyCode::Tab | KeyCode::BackTab => {
                self.focus = match self.focus {
                    Focus::Services => Focus::Log,
                    Focus::Log => Focus::Services,
                }
            }
            KeyCode::Char('l') => (self.focus, self.above) = (Focus::Log, 0),
            KeyCode::Enter => self.choose(),
            KeyCode::Up | KeyCode::Char('k') => self.turn(1),
            KeyCode::Down | KeyCode::Char('j') => self.turn(-1),
            KeyCode::PageUp => self.scroll(PAGE as isize),
            KeyCode::PageDown => self.scroll(-(PAGE as isize)),
            _ => {}
        }
        Next::On
    }

    /// Shows the log of the chosen service alone, or of all again.
    fn choose(&mut self) {
        let chosen = self.chosen().map(str::to_owned);
        self.only = match self.only == chosen {
            true => None,
            false => chosen,
        };
        self.above = 0;
    }

    fn turn(&mut self, up: isize) {
        match self.focus {
            Focus::Log => self.scroll(up),
            Focus::Services => {
                let last = self.services().len().saturating_sub(1);
                self.chosen = self.chosen.saturating_add_signed(-up).min(last);
            }
        }
    }

    fn scroll(&mut self, up: isize) {
        self.focus = Focus::Log;
        let most = self.lines().count().saturating_sub(1);
        self.above = self.above.saturating_add_signed(up).min(most);
    }
}
