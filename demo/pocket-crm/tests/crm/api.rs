//! Every route, every refusal.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use pocket_crm::{
    api::{self, App},
    auth::Credential,
    lead::{Draft, Status},
    seed::{self, SeedError, Seeded},
    server,
    store::{Store, StoreError},
};
use serde_json::json;

use crate::client::{Client, PASSWORD};

const ADA: &str = r#"{"name":"Ada Lovelace","email":"ada@example.org","company":"Analytical Engines"}"#;

/// A server in this process on a port of its own, and what it serves from.
struct Crm {
    address: SocketAddr,
    app: Arc<App>,
    data: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

fn crm() -> Crm {
    let data = tempfile::tempdir().unwrap();
    let store = Store::create(data.path()).unwrap();
    let app = Arc::new(App { store, admin: Credential::new(PASSWORD).unwrap(), stale_after: Duration::from_hours(24) });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(server::listen(std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let router = api::router(Arc::clone(&app));
    runtime.spawn(async move { axum::serve(listener, router).await });
    Crm { address, app, data, runtime }
}

#[test]
fn a_lead_lives_from_creation_to_deletion() {
    let crm = crm();
    let admin = Client::admin(crm.address);
    assert_eq!(admin.get("/health").json, json!({"status": "ok", "leads": 0}));
    assert_eq!(admin.get("/api/v1/Lead").json, json!({"total": 0, "list": []}));

    let created = admin.send("POST", "/api/v1/Lead", ADA);
    assert_eq!(created.status, 201);
    assert!(created.head.contains("location: /api/v1/lead/1"), "{}", created.head);
    assert_eq!((&created.json["id"], &created.json["status"]), (&json!(1), &json!("new")));
    assert_eq!(admin.get("/api/v1/Lead/1").json, created.json);

    let changed = admin.send("PATCH", "/api/v1/Lead/1", r#"{"status":"contacted"}"#);
    assert_eq!((changed.status, &changed.json["status"], &changed.json["name"]), (200, &json!("contacted"), &json!("Ada Lovelace")));
    assert_eq!(changed.json["created_at"], created.json["created_at"]);
    assert_eq!(admin.get("/api/v1/Lead").json, json!({"total": 1, "list": [changed.json]}));

    assert_eq!(admin.send("DELETE", "/api/v1/Lead/1", "").status, 204);
    assert_eq!(admin.get("/api/v1/Lead/1").status, 404);
    let again = admin.send("POST", "/api/v1/Lead", ADA);
    assert_eq!((again.status, &again.json["id"]), (201, &json!(2)), "the address is free again, the id is not");
}

#[test]
fn what_cannot_be_kept_is_refused_with_its_field() {
    let crm = crm();
    let admin = Client::admin(crm.address);
    for (body, field, words) in [
        ("", None, "EOF"),
        ("{", None, "EOF"),
        (r#"{"name":"Ada"}"#, None, "missing field `email`"),
        (r#"{"name":"Ada","email":"a@b","age":3}"#, None, "unknown field `age`"),
        (r#"{"name":"Ada","email":"a@b","status":"asleep"}"#, None, "unknown variant `asleep`"),
        (r#"{"name":"","email":"a@b"}"#, Some("name"), "must not be empty"),
        (r#"{"name":"Ada","email":"ada"}"#, Some("email"), "must look like name@host"),
    ] {
        let answer = admin.send("POST", "/api/v1/Lead", body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json["error"].as_str().unwrap().contains(words), "{body}: {}", answer.json);
        assert_eq!(answer.json["field"].as_str(), field, "{body}");
    }
    // One byte over the bound: the server has read them all when it refuses, so its answer cannot be lost in a reset.
    assert_eq!(admin.send("POST", "/api/v1/Lead", &" ".repeat(64 * 1024 + 1)).status, 413);
    assert_eq!(crm.app.store.count().unwrap(), 0);
}

#[test]
fn an_address_belongs_to_one_lead() {
    let crm = crm();
    let admin = Client::admin(crm.address);
    admin.send("POST", "/api/v1/Lead", ADA);
    admin.send("POST", "/api/v1/Lead", r#"{"name":"Grace Hopper","email":"grace@example.org"}"#);

    let taken = admin.send("POST", "/api/v1/Lead", r#"{"name":"Ada","email":"ADA@example.org"}"#);
    assert_eq!((taken.status, &taken.json["error"]), (409, &json!("ADA@example.org belongs to lead 1")));
    assert_eq!(admin.send("PATCH", "/api/v1/Lead/2", r#"{"email":"ada@example.org"}"#).status, 409);
    assert_eq!(admin.send("PATCH", "/api/v1/Lead/1", r#"{"email":"Ada@Example.org"}"#).status, 200, "its own address, spelled anew");

    admin.send("PATCH", "/api/v1/Lead/1", r#"{"email":"countess@example.org"}"#);
    assert_eq!(admin.send("PATCH", "/api/v1/Lead/2", r#"{"email":"ada@example.org"}"#).status, 200, "given up, so free");
}

#[test]
fn reading_is_free_and_writing_needs_the_credential() {
    let crm = crm();
    let stranger = Client::anonymous(crm.address);
    let liar = Client { address: crm.address, authorization: Some(Credential::new("wrong").unwrap().header()) };
    Client::admin(crm.address).send("POST", "/api/v1/Lead", ADA);
    for client in [stranger, liar] {
        for (method, path) in [("POST", "/api/v1/Lead"), ("PATCH", "/api/v1/Lead/1"), ("DELETE", "/api/v1/Lead/1")] {
            let answer = client.send(method, path, ADA);
            assert_eq!(answer.status, 401, "{method}");
            assert!(answer.head.contains("www-authenticate: basic"), "{}", answer.head);
        }
        assert_eq!(client.get("/api/v1/Lead").json["total"], 1);
        assert_eq!(client.get("/api/v1/Lead/1").status, 200);
    }
}

#[test]
fn a_list_is_filtered_and_paged() {
    let crm = crm();
    let now = Timestamp::now();
    for (name, status, hours) in
        [("old", Status::New, 25), ("old-won", Status::Won, 25), ("fresh", Status::New, 23), ("old-contacted", Status::Contacted, 48)]
    {
        let draft = Draft { name: name.into(), email: format!("{name}@example.org"), company: String::new(), status };
        crm.app.store.insert(draft, now - SignedDuration::from_hours(hours)).unwrap();
    }
    let client = Client::anonymous(crm.address);
    for (query, total, names) in [
        ("", 4, &["old", "old-won", "fresh", "old-contacted"] as &[&str]),
        ("?status=new", 2, &["old", "fresh"]),
        ("?stale=1", 2, &["old", "old-contacted"]),
        ("?stale=true&status=new", 1, &["old"]),
        ("?stale=0&status=won", 1, &["old-won"]),
        ("?offset=1&limit=2", 4, &["old-won", "fresh"]),
        ("?offset=9", 4, &[]),
    ] {
        let json = client.get(&format!("/api/v1/Lead{query}")).json;
        let listed: Vec<_> = json["list"].as_array().unwrap().iter().map(|lead| lead["name"].as_str().unwrap()).collect();
        assert_eq!((&json["total"], listed.as_slice()), (&json!(total), names), "{query}");
    }
    let touched = Client::admin(crm.address).send("PATCH", "/api/v1/Lead/1", r#"{"status":"contacted"}"#);
    assert_eq!(touched.status, 200);
    assert_eq!(client.get("/api/v1/Lead?stale=1").json["total"], 1, "an update makes a lead fresh");
    for query in ["?stale=maybe", "?status=asleep", "?limit=-1", "?colour=red"] {
        let answer = client.get(&format!("/api/v1/Lead{query}"));
        assert_eq!((answer.status, answer.json["error"].is_string()), (400, true), "{query}");
    }
}

#[test]
fn what_is_not_there_is_said_in_json_too() {
    let crm = crm();
    let admin = Client::admin(crm.address);
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/api/v1/Lead/7", 404),
        ("GET", "/api/v1/Lead/seven", 404),
        ("PATCH", "/api/v1/Lead/7", 404),
        ("DELETE", "/api/v1/Lead/7", 404),
        ("PUT", "/api/v1/Lead/7", 405),
    ] {
        let answer = admin.send(method, path, if method == "PATCH" { "{}" } else { "" });
        assert_eq!((answer.status, answer.json["error"].is_string()), (status, true), "{method} {path}");
    }
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let crm = crm();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let admin = Client::admin(crm.address);
            scope.spawn(move || {
                for lead in 0..10 {
                    let body = json!({"name": "One of many", "email": format!("{writer}.{lead}@example.org")});
                    assert_eq!(admin.send("POST", "/api/v1/Lead", &body.to_string()).status, 201);
                }
            });
        }
    });
    let page = Client::anonymous(crm.address).get("/api/v1/Lead").json;
    let ids: Vec<_> = page["list"].as_array().unwrap().iter().map(|lead| lead["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=40).collect::<Vec<_>>());
}

#[test]
fn seeding_twice_creates_once() {
    let crm = crm();
    let file = |text: &str| -> PathBuf {
        let path = crm.data.path().join("leads.csv");
        std::fs::write(&path, text).unwrap();
        path
    };
    let url = format!("http://{}", crm.address);
    let admin = Credential::new(PASSWORD).unwrap();
    let text = "name,email,company,status\nAda,ada@example.org,\"Engines, Analytical\",new\nGrace,grace@example.org,,contacted\n";
    let seeded = crm.runtime.block_on(seed::seed(&url, file(text), &admin)).unwrap();
    assert_eq!(seeded, Seeded { created: 2, present: 0 });
    let seeded = crm.runtime.block_on(seed::seed(&url, file(text), &admin)).unwrap();
    assert_eq!(seeded, Seeded { created: 0, present: 2 });
    assert_eq!(crm.app.store.get(1).unwrap().company, "Engines, Analytical");

    let refused = crm.runtime.block_on(seed::seed(&url, file("name,email\nNobody,nowhere\n"), &admin)).unwrap_err();
    assert!(matches!(&refused, SeedError::Refused { status, .. } if status.as_u16() == 400), "{refused}");
    let wrong = Credential::new("wrong").unwrap();
    let refused = crm.runtime.block_on(seed::seed(&url, file(text), &wrong)).unwrap_err();
    assert!(matches!(&refused, SeedError::Refused { status, .. } if status.as_u16() == 401), "{refused}");
}

#[test]
fn a_store_is_created_once_and_opened_by_one() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("a/b");
    assert!(matches!(Store::open(&directory), Err(StoreError::Missing(_))));
    let store = Store::create(&directory).unwrap();
    let draft = Draft { name: "Ada".into(), email: "ada@example.org".into(), company: String::new(), status: Status::New };
    store.insert(draft, Timestamp::UNIX_EPOCH).unwrap();
    assert!(matches!(Store::open(&directory), Err(StoreError::Busy(_))));
    drop(store);
    assert_eq!(Store::create(&directory).unwrap().count().unwrap(), 1, "creating it again keeps what is in it");
}
