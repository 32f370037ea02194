//! Results as a Markdown table, to read in a terminal and to copy into a README.
//!
//! In: a heading and rows of as many cells. Out: text with aligned columns.

use std::fmt;

/// A table whose first column is text and whose other columns are numbers.
#[derive(Debug, Clone)]
pub struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub fn new(heading: [&str; COLUMNS]) -> Self {
        Self {
            rows: vec![heading.map(str::to_owned)],
        }
    }

    /// Adds a row below the others.
    pub fn add(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row);
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
            let lengths = self.rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0).max(4)
        });
        for (index, row) in self.rows.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                match column {
                    0 => write!(formatter, "| {cell:<width$} ")?,
                    _ => write!(formatter, "| {cell:>width$} ")?,
                }
            }
            formatter.write_str("|\n")?;
            if index == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(width - 1);
                    match column {
                        0 => write!(formatter, "| -{dashes} ")?,
                        _ => write!(formatter, "| {dashes}: ")?,
                    }
                }
                formatter.write_str("|\n")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["repository", "ms"]);
        table.add(["shop".to_owned(), "12.5 (12.0)".to_owned()]);
        let expected = "\
            | repository |          ms |\n\
            | ---------- | ----------: |\n\
            | shop       | 12.5 (12.0) |\n";
        assert_eq!(table.to_string(), expected);
    }
}
