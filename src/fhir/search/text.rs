//! What a text search asks for (R4 §3.1.1.4.13): words that all have to be there, `or` between those of which one is enough,
//! and parentheses: `(bone OR liver) and metastases`.

use crate::fhir::index::words;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Word(String),
    All(Vec<Asked>),
    Any(Vec<Asked>),
}

const WORDS_MAX: usize = 32;
const DEPTH_MAX: usize = 8;

/// None: no word, too many, or parentheses that do not close.
pub fn read(text: &str) -> Option<Asked> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut tokens: Vec<&str> = spaced.split_whitespace().collect();
    if tokens.len() > WORDS_MAX * 3 {
        return None;
    }
    tokens.reverse();
    let asked = any(&mut tokens, DEPTH_MAX)?;
    (tokens.is_empty() && count(&asked) <= WORDS_MAX).then_some(asked)
}

fn count(asked: &Asked) -> usize {
    match asked {
        Asked::Word(_) => 1,
        Asked::All(of) | Asked::Any(of) => of.iter().map(count).sum(),
    }
}

fn any(tokens: &mut Vec<&str>, depth: usize) -> Option<Asked> {
    let mut either = vec![all(tokens, depth)?];
    while tokens.last().is_some_and(|token| token.eq_ignore_ascii_case("or")) {
        tokens.pop();
        either.push(all(tokens, depth)?);
    }
    Some(one_or(either, Asked::Any))
}

fn all(tokens: &mut Vec<&str>, depth: usize) -> Option<Asked> {
    let mut each = Vec::new();
    while let Some(token) = tokens.pop_if(|token| *token != ")" && !token.eq_ignore_ascii_case("or")) {
        match token {
            "(" => {
                each.push(any(tokens, depth.checked_sub(1)?)?);
                tokens.pop().filter(|token| *token == ")")?;
            }
            token if token.eq_ignore_ascii_case("and") && !each.is_empty() => {}
            token => each.extend(words::of_text(token).map(Asked::Word)),
        }
    }
    if each.is_empty() { None } else { Some(one_or(each, Asked::All)) }
}

fn one_or(mut of: Vec<Asked>, join: fn(Vec<Asked>) -> Asked) -> Asked {
    if of.len() == 1 { of.remove(0) } else { join(of) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(asked: &Asked) -> String {
        let joined = |of: &[Asked], by: &str| of.iter().map(shown).collect::<Vec<_>>().join(by);
        match asked {
            Asked::Word(word) => word.clone(),
            Asked::All(of) => format!("({})", joined(of, "&")),
            Asked::Any(of) => format!("({})", joined(of, "|")),
        }
    }

    #[test]
    fn words_are_joined_as_they_say() {
        let told = |text: &str| read(text).map(|asked| shown(&asked));
        assert_eq!(told("(bone OR liver) and metastases").as_deref(), Some("((bone|liver)&metastases)"));
        assert_eq!(told("Bone-loss").as_deref(), Some("(bone&loss)"));
        assert_eq!(told("a b or c").as_deref(), Some("((a&b)|c)"));
        for none in ["", "()", "(a", "a)", "or", "a or", "--", "((((((((((a))))))))))"] {
            assert_eq!(told(none), None, "{none}");
        }
        assert_eq!(read(&"a ".repeat(33)), None);
    }
}
