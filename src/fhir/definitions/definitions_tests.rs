//! The tables hold what the specification says.

use super::*;

#[test]
fn every_piece_can_be_read() {
    let all = |read: &mut dyn FnMut(usize) -> bool, count: usize| (0..count).filter(|at| !read(*at)).collect::<Vec<_>>();
    assert_eq!(all(&mut |at| STRUCTURES.at(at).is_some(), index::STRUCTURES.len()), []);
    assert_eq!(all(&mut |at| VALUE_SETS.at(at).is_some(), index::VALUE_SETS.len()), []);
    assert_eq!(all(&mut |at| CODE_SYSTEMS.at(at).is_some(), index::CODE_SYSTEMS.len()), []);
    assert_eq!(all(&mut |at| PARAMETERS.at(at).is_some(), index::PARAMETERS.len()), []);
    assert_eq!(all(&mut |at| COMPARTMENTS.at(at).is_some(), index::COMPARTMENTS.len()), []);
    assert_eq!(Definitions.resources().count(), 146);
}
