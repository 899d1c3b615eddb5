//! The words of an expression.

use super::moment::Moment;
use super::value::decimal;
use super::Trouble;
use rust_decimal::Decimal;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name, in back quotes or not.
    Name(String),
    /// A name in back quotes: never a keyword.
    Quoted(String),
    Text(String),
    Integer(i64),
    Decimal(Decimal),
    Moment(Moment),
    /// `%name`.
    Variable(String),
    /// `$this`, `$index`, `$total`.
    Special(&'static str),
    Sign(&'static str),
    End,
}

const SIGNS: &[&str] = &["<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "+", "-", "*", "/", "&", "|", "<", ">", "=", "~"];

pub fn tokens(text: &str) -> Result<Vec<Token>, Trouble> {
    let mut lexer = Lexer { rest: text };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let is_end = token == Token::End;
        tokens.push(token);
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    rest: &'t str,
}

impl<'t> Lexer<'t> {
    fn next(&mut self) -> Result<Token, Trouble> {
        self.skip_space()?;
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        match first {
            '\'' => self.quoted('\'').map(Token::Text),
            '`' => self.quoted('`').map(Token::Quoted),
            '%' => self.variable(),
            '$' => self.special(),
            '@' => self.moment(),
            '0'..='9' => self.number(),
            'a'..='z' | 'A'..='Z' | '_' => Ok(Token::Name(self.take_while(is_name).to_owned())),
            _ => self.sign(),
        }
    }

    fn skip_space(&mut self) -> Result<(), Trouble> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("//") {
                self.rest = self.rest.find('\n').and_then(|end| self.rest.get(end..)).unwrap_or_default();
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                let end = comment.find("*/").ok_or(Trouble::Syntax("A comment has no end."))?;
                self.rest = comment.get(end + 2..).unwrap_or_default();
            } else {
                return Ok(());
            }
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn sign(&mut self) -> Result<Token, Trouble> {
        let sign = SIGNS.iter().find(|sign| self.rest.starts_with(**sign)).ok_or(Trouble::Syntax("There is a sign FHIRPath does not know."))?;
        self.rest = self.rest.get(sign.len()..).unwrap_or_default();
        Ok(Token::Sign(sign))
    }

    fn special(&mut self) -> Result<Token, Trouble> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let name = self.take_while(is_name);
        let known = ["this", "index", "total"].into_iter().find(|known| *known == name);
        known.map(Token::Special).ok_or(Trouble::Syntax("After $ stands this, index or total."))
    }

    fn variable(&mut self) -> Result<Token, Trouble> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let name = match self.rest.chars().next() {
            Some('`') => self.quoted('`')?,
            Some('\'') => self.quoted('\'')?,
            _ => self.take_while(|c| is_name(c) || c == '-').to_owned(),
        };
        if name.is_empty() { Err(Trouble::Syntax("After % stands a name.")) } else { Ok(Token::Variable(name)) }
    }

    fn number(&mut self) -> Result<Token, Trouble> {
        let digits = |c: char| c.is_ascii_digit();
        let start = self.rest;
        let whole = self.take_while(digits).len();
        let has_fraction = self.rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(digits));
        if !has_fraction {
            let text = start.get(..whole).unwrap_or_default();
            return text.parse().map(Token::Integer).map_err(|_| Trouble::Syntax("The number is too large."));
        }
        self.rest = self.rest.get(1..).unwrap_or_default();
        let fraction = self.take_while(digits).len();
        let text = start.get(..whole + 1 + fraction).unwrap_or_default();
        decimal(text).map(Token::Decimal).ok_or(Trouble::Syntax("The number has too many digits."))
    }

    /// `@2015-02-04T14:34:28+10:00`, `@T14:34`.
    fn moment(&mut self) -> Result<Token, Trouble> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let bytes = self.rest.as_bytes();
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let mut end = 0;
        // A sign or point belongs to the literal only when a digit follows: `@2015.is(Date)`.
        while let Some(byte) = bytes.get(end) {
            let belongs = match byte {
                b'0'..=b'9' | b'T' => true,
                b'Z' => end > 0,
                b':' | b'.' | b'-' | b'+' => digit(end + 1),
                _ => false,
            };
            if !belongs {
                break;
            }
            end += 1;
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        if text.starts_with('T') && text.contains(['Z', '+', '-']) {
            return Err(Trouble::Syntax("A time has no offset."));
        }
        Moment::parse(text).map(Token::Moment).ok_or(Trouble::Syntax("That is no date or time."))
    }

    fn quoted(&mut self, quote: char) -> Result<String, Trouble> {
        let unfinished = Trouble::Syntax("A quoted text has no end.");
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        loop {
            match letters.next().ok_or(unfinished)? {
                (at, letter) if letter == quote => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                (_, '\\') => {
                    let (_, letter) = letters.next().ok_or(unfinished)?;
                    match letter {
                        'n' => text.push('\n'),
                        'r' => text.push('\r'),
                        't' => text.push('\t'),
                        'f' => text.push('\u{c}'),
                        'u' => {
                            let digits: String = letters.by_ref().take(4).map(|(_, digit)| digit).collect();
                            text.push(unicode(&digits).ok_or(Trouble::Syntax("After \\u stand four hexadecimal digits."))?);
                        }
                        // Another letter stands for itself.
                        other => text.push(other),
                    }
                }
                (_, letter) => text.push(letter),
            }
        }
    }
}

fn unicode(digits: &str) -> Option<char> {
    let all_hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    all_hex.then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32))?
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
