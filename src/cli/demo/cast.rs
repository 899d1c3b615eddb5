//! Who plays in the demo world. Every name is made up.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The same name has the same id in every demo world.
pub fn id_of(name: &str) -> Uuid {
    let hash = Sha256::digest(format!("enamel demo {name}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

pub struct Login {
    pub email: &'static str,
    pub name: &'static str,
    pub role: &'static str,
    pub user_type: &'static str,
}

pub struct House {
    pub slug: &'static str,
    pub name: &'static str,
    pub kind: &'static str,
    pub parent: Option<&'static str>,
    pub operator: bool,
    pub logins: &'static [Login],
}

const fn login(email: &'static str, name: &'static str, role: &'static str, user_type: &'static str) -> Login {
    Login { email, name, role, user_type }
}

pub const INSPECTOR: &str = "inspector@regulator.example";

pub static HOUSES: &[House] = &[
    House {
        slug: "bright-smiles",
        name: "Bright Smiles Dental Group",
        kind: "DSO",
        parent: None,
        operator: false,
        logins: &[
            login("director@bright-smiles.example", "Dana Whitfield", "TENANT_ADMIN", "ADMIN"),
            login("analyst@bright-smiles.example", "Ivo Brandt", "DATA_SCIENTIST", "DEVELOPER"),
        ],
    },
    House {
        slug: "bright-north",
        name: "Bright Smiles North",
        kind: "GROUP_PRACTICE",
        parent: Some("bright-smiles"),
        operator: false,
        logins: &[
            login("admin@bright-north.example", "Nadia Okafor", "TENANT_ADMIN", "ADMIN"),
            login("dentist@bright-north.example", "Elena Marsh", "CLINICIAN", "DENTIST"),
            login("desk@bright-north.example", "Tomas Reyes", "CLINIC_STAFF", "FRONT_DESK"),
            login("developer@bright-north.example", "Priya Nair", "DEVELOPER", "DEVELOPER"),
        ],
    },
    House {
        slug: "bright-south",
        name: "Bright Smiles South",
        kind: "GROUP_PRACTICE",
        parent: Some("bright-smiles"),
        operator: false,
        logins: &[
            login("admin@bright-south.example", "Henrik Lund", "TENANT_ADMIN", "ADMIN"),
            login("dentist@bright-south.example", "Amara Diallo", "CLINICIAN", "DENTIST"),
            login("desk@bright-south.example", "June Park", "CLINIC_STAFF", "FRONT_DESK"),
        ],
    },
    House {
        slug: "oak-street",
        name: "Oak Street Dental",
        kind: "SOLO_PRACTICE",
        parent: None,
        operator: false,
        logins: &[
            login("admin@oak-street.example", "Walter Stone", "TENANT_ADMIN", "ADMIN"),
            login("dentist@oak-street.example", "Mei Tanaka", "CLINICIAN", "DENTIST"),
        ],
    },
    House {
        slug: "smile-abroad",
        name: "Smile Abroad",
        kind: "OTHER",
        parent: None,
        operator: true,
        logins: &[login("admin@smile-abroad.example", "Sofia Conti", "TENANT_ADMIN", "ADMIN")],
    },
    House {
        slug: "regulator",
        name: "State Dental Board",
        kind: "REGULATOR",
        parent: None,
        operator: false,
        logins: &[login(INSPECTOR, "Ruth Adler", "READ_ONLY_AUDITOR", "REGULATOR")],
    },
];

/// Tenants that treat patients.
pub const CLINICS: &[&str] = &["bright-north", "bright-south", "oak-street"];

pub static PROVIDERS: &[(&str, &str, &str, &str)] = &[
    ("Elena Marsh", "Dr.", "DENTIST", "General dentistry"),
    ("Jonas Weber", "Dr.", "SPECIALIST", "Endodontics"),
    ("Lucia Moreno", "RDH", "HYGIENIST", "Dental hygiene"),
];

pub static PATIENTS: &[(&str, &str)] = &[
    ("Mara", "FEMALE"),
    ("Theo", "MALE"),
    ("Ines", "FEMALE"),
    ("Omar", "MALE"),
    ("Yuki", "FEMALE"),
    ("Pavel", "MALE"),
    ("Grace", "FEMALE"),
    ("Diego", "MALE"),
    ("Aisha", "FEMALE"),
    ("Liam", "MALE"),
    ("Hana", "FEMALE"),
    ("Noah", "MALE"),
    ("Carla", "FEMALE"),
    ("Ravi", "MALE"),
    ("Signe", "FEMALE"),
    ("Marcus", "MALE"),
    ("Zoe", "FEMALE"),
    ("Ivan", "MALE"),
    ("Lena", "FEMALE"),
    ("Samuel", "MALE"),
];
const FAMILIES: &[&str] = &[
    "Lindqvist",
    "Bauer",
    "Castillo",
    "Haddad",
    "Mori",
    "Novak",
    "Bennett",
    "Vargas",
    "Rahman",
    "Murphy",
    "Sato",
    "Fischer",
    "Romano",
    "Iyer",
    "Dahl",
    "Webb",
    "Laurent",
    "Petrov",
    "Hoffman",
    "Osei",
    "Quinn",
    "Alvarez",
    "Kimura",
];

/// Mara Lindqvist is the first patient of both Bright Smiles clinics: one person, two charts.
pub fn patient(clinic: usize, nth: usize) -> (&'static str, &'static str, &'static str) {
    let (first, gender) = PATIENTS[nth];
    let shift = if nth == 0 && clinic < 2 { 0 } else { nth + clinic * 5 };
    (first, FAMILIES[shift % FAMILIES.len()], gender)
}

static MARA: Login = login("mara@patients.example", "Mara Lindqvist", "PATIENT", "PATIENT");
static GRACE: Login = login("grace@patients.example", "Grace Bennett", "PATIENT", "PATIENT");
static THEO: Login = login("theo@patients.example", "Theo Murphy", "PATIENT", "PATIENT");

/// Clinic, which patient, whose login.
pub static PORTALS: &[(&str, usize, &Login)] =
    &[("bright-north", 0, &MARA), ("bright-south", 0, &MARA), ("bright-north", 6, &GRACE), ("oak-street", 1, &THEO)];

/// Grace acts for a child, the eleventh patient of Bright Smiles North.
pub const GUARDIAN: (&str, &str, usize) = ("bright-north", "grace@patients.example", 10);

pub fn title(slug: &str) -> String {
    slug.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect::<Vec<_>>().join(" ")
}

/// A provider number with a right check digit that belongs to nobody we know.
pub fn npi(seed: usize) -> String {
    let nine = format!("19999{:04}", seed % 10_000);
    let found = (0..10).map(|check| format!("{nine}{check}")).find(|number| crate::kernel::table::form::is_npi(number));
    found.unwrap_or(nine)
}

/// A patient's birthday.
pub fn born(seat: usize, nth: usize) -> String {
    format!("{}-{:02}-{:02}", 1938 + (nth * 7 + seat * 3) % 80, 1 + (nth * 5) % 12, 1 + (nth * 11) % 28)
}
