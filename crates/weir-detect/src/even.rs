//! An even choice of a window's packets, of bounded size, without chance: when it is full, every other one goes, and from then on
//! only every other packet is taken.

/// The choice.
#[derive(Clone, Debug)]
pub struct Even<T> {
    chosen: Vec<T>,
    most: usize,
    stride: u64,
    seen: u64,
}

impl<T> Even<T> {
    /// Of at most so many; at least two.
    pub fn new(most: usize) -> Self {
        Self { chosen: Vec::new(), most: most.max(2), stride: 1, seen: 0 }
    }

    /// Whether the next packet is taken; one that is not must be told by [`Self::pass`].
    pub fn wants(&self) -> bool {
        self.seen.is_multiple_of(self.stride)
    }

    /// A packet went by.
    pub fn pass(&mut self) {
        self.seen += 1;
    }

    /// Takes a packet if it is wanted.
    pub fn add(&mut self, one: T) {
        if self.wants() {
            if self.chosen.len() >= self.most {
                let mut keep = false;
                self.chosen.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.stride *= 2;
            }
            if self.wants() {
                self.chosen.push(one);
            }
        }
        self.pass();
    }

    /// What was chosen; it begins anew.
    pub fn take(&mut self) -> Vec<T> {
        (self.stride, self.seen) = (1, 0);
        std::mem::take(&mut self.chosen)
    }

    /// Nothing was chosen.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }
}

#[cfg(test)]
mod tests {
    //! It is even and bounded for any number of packets.
    use super::*;

    #[test]
    fn the_chosen_are_multiples_of_one_stride() {
        for n in [0usize, 1, 7, 8, 9, 16, 17, 100, 1000] {
            let mut even = Even::new(8);
            (0..n).for_each(|i| even.add(i));
            let chosen = even.take();
            assert!(chosen.len() <= 8 && chosen.len() >= n.min(5), "{n}: {chosen:?}");
            let stride = chosen.get(1).copied().unwrap_or(1);
            assert!(chosen.iter().enumerate().all(|(i, at)| *at == i * stride), "{n}: {chosen:?}");
            assert!(even.is_empty() && even.wants());
        }
    }
}
