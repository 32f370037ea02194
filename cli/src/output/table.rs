//! Columns that line up.

use super::style::{self, paint};
use anstyle::Style;

/// A cell: its text and how it looks.
pub(crate) struct Cell {
    text: String,
    style: Style,
    alignment: Alignment,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alignment {
    Left,
    Right,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: Style::new(),
            alignment: Alignment::Left,
        }
    }

    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
            alignment: Alignment::Left,
        }
    }

    pub(crate) fn number(number: usize) -> Self {
        Self {
            text: number.to_string(),
            style: Style::new(),
            alignment: Alignment::Right,
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Lays out rows under a heading. The last column is not padded.
pub(crate) fn table(heading: &[&str], rows: &[Vec<Cell>]) -> String {
    let widths: Vec<usize> = heading
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(Cell::width);
            cells
                .chain([title.chars().count()])
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    let right = |column: usize| {
        rows.first()
            .and_then(|row| row.get(column))
            .is_some_and(|cell| cell.alignment == Alignment::Right)
    };
    let titles = heading.iter().enumerate().map(|(column, title)| Cell {
        text: (*title).to_owned(),
        style: style::HEADING,
        alignment: if right(column) {
            Alignment::Right
        } else {
            Alignment::Left
        },
    });
    add_row(&mut text, titles, &widths);
    for row in rows {
        add_row(&mut text, row.iter(), &widths);
    }
    text
}

fn add_row(
    text: &mut String,
    cells: impl Iterator<Item = impl std::borrow::Borrow<Cell>>,
    widths: &[usize],
) {
    let mut line = String::new();
    let mut pending = 0;
    for (cell, width) in cells.zip(widths) {
        let cell = cell.borrow();
        let padding = width.saturating_sub(cell.width());
        if cell.alignment == Alignment::Right {
            pending += padding;
        }
        line.push_str(&" ".repeat(pending + 2));
        line.push_str(&paint(cell.style, &cell.text));
        pending = if cell.alignment == Alignment::Left {
            padding
        } else {
            0
        };
    }
    text.push_str(&line);
    text.push('\n');
}
