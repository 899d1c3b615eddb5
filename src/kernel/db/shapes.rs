//! Statements whose shape differs from call to call (which columns a draft names): a connection prepares one when it meets
//! it again, and keeps so many; the one that was not met for longest gives way.

use std::collections::HashMap;
use std::sync::Mutex;
use tokio_postgres::Statement;
use tokio_postgres::types::Type;

/// A prepared statement with its plan takes some 50 KiB of PostgreSQL's memory.
const MOST: usize = 160;

#[derive(Default)]
pub struct Shapes(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_text: HashMap<String, Shape>,
    met: u64,
}

struct Shape {
    types: Vec<Type>,
    statement: Option<Statement>,
    met: u64,
}

pub enum Met {
    First,
    /// Not prepared yet.
    Again,
    Prepared(Statement),
}

impl Shapes {
    pub fn meet(&self, text: &str, types: &[Type]) -> Met {
        let mut kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.met += 1;
        let now = kept.met;
        if let Some(shape) = kept.by_text.get_mut(text).filter(|shape| shape.types == types) {
            shape.met = now;
            return shape.statement.clone().map_or(Met::Again, Met::Prepared);
        }
        kept.keep(text, Shape { types: types.to_vec(), statement: None, met: now });
        Met::First
    }

    pub fn prepared(&self, text: &str, types: &[Type], statement: &Statement) {
        let mut kept = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let met = kept.met;
        kept.keep(text, Shape { types: types.to_vec(), statement: Some(statement.clone()), met });
    }
}

impl Kept {
    fn keep(&mut self, text: &str, shape: Shape) {
        self.by_text.insert(text.to_owned(), shape);
        if self.by_text.len() > MOST
            && let Some(oldest) = self.by_text.iter().min_by_key(|(_, shape)| shape.met).map(|(text, _)| text.clone())
        {
            self.by_text.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_known_by_text_and_types_until_others_push_it_out() {
        let shapes = Shapes::default();
        let first = |text: &str, types: &[Type]| matches!(shapes.meet(text, types), Met::First);
        assert!(first("a", &[Type::TEXT]) && !first("a", &[Type::TEXT]) && first("a", &[Type::UUID]));
        (0..MOST).for_each(|n| assert!(first(&n.to_string(), &[])));
        assert!(first("a", &[Type::UUID]), "pushed out");
        assert!(!first(&(MOST - 1).to_string(), &[]) && shapes.0.lock().unwrap().by_text.len() == MOST);
    }
}
