//! Tables as kubectl writes them: upper-case heads, two blanks between columns, numbers to the right.

use std::io::{self, Write};

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    #[default]
    Plain,
    /// Needs attention.
    Bad,
    /// Worth a look.
    Warn,
}

impl Style {
    fn code(self) -> Option<&'static str> {
        match self {
            Style::Plain => None,
            Style::Bad => Some("31"),
            Style::Warn => Some("33"),
        }
    }
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell that looks this way.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), style: Style::Plain }
    }
}

/// A table in the making. A head that ends in `>` has its column to the right.
pub struct Table {
    heads: Vec<(&'static str, bool)>,
    rows: Vec<Vec<Cell>>,
    colour: bool,
}

impl Table {
    /// A table with these heads.
    pub fn new<const N: usize>(heads: [&'static str; N], colour: bool) -> Self {
        let heads = heads.map(|head| match head.strip_suffix('>') {
            Some(head) => (head, true),
            None => (head, false),
        });
        Self { heads: heads.to_vec(), rows: Vec::new(), colour }
    }

    /// Adds a row of as many cells as there are heads.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.to_vec());
    }

    /// Writes it.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|i| {
                let cells = self.rows.iter().filter_map(|row| row.get(i)).map(|c| width(&c.text));
                cells.chain([self.heads[i].0.len()]).max().unwrap_or(0)
            })
            .collect();
        let head: Vec<Cell> = self.heads.iter().map(|(head, _)| Cell::from(*head)).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[i].saturating_sub(width(&cell.text)));
                let text = match cell.style.code().filter(|_| self.colour) {
                    Some(code) => format!("\x1b[{code}m{}\x1b[0m", cell.text),
                    None => cell.text.clone(),
                };
                line.push_str(&if self.heads[i].1 { pad + &text } else { text + &pad });
                line.push_str("  ");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(colour: bool) -> String {
        let mut table = Table::new(["NAME", "COUNT>", "WHAT"], colour);
        table.row(["a".into(), "7".into(), Cell::styled("drop", Style::Bad)]);
        table.row(["longer".into(), "1,000".into(), "".into()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(shown(false), "NAME    COUNT  WHAT\na           7  drop\nlonger  1,000\n");
        assert!(shown(true).contains("\x1b[31mdrop\x1b[0m"));
    }
}
