//! The Merkle tree of RFC 6962 §2.1 over leaf hashes: streaming root, inclusion paths, and their proof.

use super::bytes::Hash;

fn node(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1], &left.0, &right.0])
}

/// Roots of the perfect subtrees of what was pushed so far, so memory is O(log n).
#[derive(Debug, Clone, Default)]
pub struct TreeHasher {
    subtrees: Vec<Hash>,
    count: u64,
}

impl TreeHasher {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut subtree = leaf;
        // Each trailing one-bit of the count is a perfect subtree of that size which the new leaf completes.
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                subtree = node(&left, &subtree);
            }
        }
        self.subtrees.push(subtree);
        self.count += 1;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The root of all leaves so far; SHA-256 of nothing for none.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.subtrees.iter().rev();
        match subtrees.next() {
            None => Hash::of(&[]),
            Some(last) => subtrees.fold(*last, |right, left| node(left, &right)),
        }
    }
}

impl FromIterator<Hash> for TreeHasher {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }
}

/// A whole tree in memory, for the paths of many leaves.
#[derive(Debug, Clone)]
pub struct Tree {
    /// `levels[0]` are the leaves; an unpaired last node moves up as it is, which is RFC 6962's split.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                odd => odd[0],
            });
            levels.push(above.collect());
        }
        Self { levels }
    }

    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_else(|| Hash::of(&[]))
    }

    pub fn count(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// The siblings from the leaf to the root (RFC 6962 §2.1.1); none for an index outside.
    pub fn path(&self, index: u64) -> Option<Vec<Hash>> {
        let mut at = usize::try_from(index).ok().filter(|at| *at < self.levels[0].len())?;
        let mut path = Vec::new();
        for level in &self.levels {
            path.extend(level.get(at ^ 1).copied());
            at /= 2;
        }
        Some(path)
    }
}

/// Whether `leaf` stands at `index` in the tree of `count` leaves with that root (RFC 9162 §2.1.3.2).
pub fn path_leads_to(root: &Hash, leaf: &Hash, index: u64, count: u64, path: &[Hash]) -> bool {
    if index >= count {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, count - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at != 0 && at & 1 == 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|n| Hash::of(&[&[0], &[n]])).collect()
    }

    /// MTH as RFC 6962 §2.1 writes it.
    fn recursive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(&[]),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node(&recursive_root(&leaves[..split]), &recursive_root(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_tree_of_nothing_is_sha256_of_nothing() {
        let expected = Hash::parse("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").unwrap();
        assert_eq!(TreeHasher::new().root(), expected);
        assert_eq!(Tree::new(vec![]).root(), expected);
    }

    /// The test tree of certificate-transparency implementations: eight inputs with published roots.
    #[test]
    fn published_roots() {
        let inputs: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let tree: TreeHasher = inputs.iter().map(|input| Hash::of(&[&[0], input])).collect();
        assert_eq!(tree.root().to_string(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    #[test]
    fn three_ways_to_the_same_root_and_every_path_leads_there() {
        for count in 0..70 {
            let leaves = leaves(count);
            let tree = Tree::new(leaves.clone());
            let root = recursive_root(&leaves);
            assert_eq!(tree.root(), root);
            assert_eq!(leaves.iter().copied().collect::<TreeHasher>().root(), root);
            for (index, leaf) in leaves.iter().enumerate() {
                let path = tree.path(index as u64).unwrap();
                assert!(path_leads_to(&root, leaf, index as u64, tree.count(), &path));
                for wrong in (0..u64::from(count) + 2).filter(|wrong| *wrong != index as u64) {
                    assert!(!path_leads_to(&root, leaf, wrong, tree.count(), &path));
                }
                assert!(!path_leads_to(&root, leaf, index as u64, tree.count(), &[path.as_slice(), &[*leaf]].concat()));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!path_leads_to(&root, leaf, index as u64, tree.count(), shorter));
                }
            }
            assert_eq!(tree.path(u64::from(count)), None);
        }
    }
}
