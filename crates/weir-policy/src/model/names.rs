//! Names by number: entries and samples carry 32 bits, people read words.

use std::collections::HashMap;
use std::sync::Arc;

/// Numbers for names, from 1; 0 means "nobody in particular". The same name always gets the same number.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    /// By number; a hole is a number whose name is no longer used.
    names: Vec<Option<Arc<str>>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl NameTable {
    /// A table that keeps the numbers of an earlier one, so that a recompiled image differs only where the policy does.
    pub fn continuing<'a>(known: impl IntoIterator<Item = (u32, &'a str)>) -> Self {
        let mut table = Self::default();
        for (number, name) in known {
            if number == 0 || table.numbers.contains_key(name) {
                continue;
            }
            let at = number as usize;
            if table.names.len() <= at {
                table.names.resize(at + 1, None);
            }
            let name: Arc<str> = name.into();
            table.names[at] = Some(Arc::clone(&name));
            table.numbers.insert(name, number);
        }
        table
    }

    /// The number of a name; a new name gets the next number.
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        if self.names.is_empty() {
            self.names.push(None);
        }
        let number = self.names.len() as u32;
        let name: Arc<str> = name.into();
        self.names.push(Some(Arc::clone(&name)));
        self.numbers.insert(name, number);
        number
    }

    /// The name behind a number.
    pub fn get(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize)?.as_deref()
    }

    /// One more than the highest number.
    pub fn numbers(&self) -> usize {
        self.names.len()
    }

    /// The name behind a number, or words that say there is none.
    pub fn show(&self, number: u32) -> String {
        match self.get(number) {
            Some(name) => name.to_owned(),
            None if number == 0 => "unnamed".to_owned(),
            None => format!("#{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NameTable;

    #[test]
    fn a_name_keeps_its_number_over_a_recompile() {
        let mut first = NameTable::default();
        assert_eq!((first.intern("office"), first.intern("bad"), first.intern("office")), (1, 2, 1));

        let mut second = NameTable::continuing([(2, "bad")]);
        assert_eq!(second.intern("new"), 3);
        assert_eq!(second.intern("bad"), 2);
        assert_eq!(second.get(1), None);
        assert_eq!(second.get(3), Some("new"));
    }
}
