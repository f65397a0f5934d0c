//! The same over HTTP: no verb under `/v1` reads or changes what is another's.

use serde_json::json;

use crate::denied::{Scene, bad_tokens, of};

/// Every verb on ada's job, as its method, path and body.
fn verbs(id: &str) -> Vec<(&'static str, String, String)> {
    let jobs = "/v1/queues/chat/jobs";
    let submit = json!({"kind": "sleep", "options": {"topic": "ada.news"}}).to_string();
    let own = json!({"kind": "sleep", "id": id}).to_string();
    let many = format!(r#"{{"jobs":[{submit}]}}"#);
    vec![
        ("POST", jobs.to_owned(), submit),
        ("POST", jobs.to_owned(), own),
        ("POST", format!("{jobs}/bulk"), many),
        ("GET", jobs.to_owned(), String::new()),
        ("GET", format!("{jobs}/{id}"), String::new()),
        ("GET", format!("{jobs}/{id}?wait=10ms"), String::new()),
        ("GET", format!("{jobs}/{id}/events"), String::new()),
        ("POST", format!("{jobs}/{id}/cancel"), String::new()),
        ("POST", format!("{jobs}/{id}/retry"), String::new()),
    ]
}

fn headers(more: &str, body: &str) -> String {
    let length = body.len();
    format!("{more}Content-Type: application/json\r\nContent-Length: {length}\r\n")
}

#[tokio::test]
async fn without_a_good_token_every_verb_is_refused() {
    let scene = Scene::set().await;
    let id = scene.id();
    for (token, _) in bad_tokens() {
        for (method, path, body) in verbs(&id) {
            let more = format!("Authorization: Bearer {token}\r\n");
            let headers = headers(&more, &body);
            let (status, head, answer) =
                scene.gateway.request(method, &path, &headers, &body).await;
            assert_eq!(status, 401, "{method} {path} {token}: {answer}");
            assert!(head.contains("application/problem+json"), "{head}");
            assert!(!answer.contains("secret of ada"));
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn another_tenant_reads_and_changes_nothing() {
    let scene = Scene::set().await;
    let id = scene.id();
    for (method, path, body) in verbs(&id) {
        let more = format!("Authorization: Bearer {}\r\n", of("bob"));
        let headers = headers(&more, &body);
        let (status, _, answer) = scene.gateway.request(method, &path, &headers, &body).await;
        let expected = match (method, &*path) {
            // The topic is ada's; her job's id is taken.
            ("POST", "/v1/queues/chat/jobs") if body.contains("topic") => 403,
            ("POST", "/v1/queues/chat/jobs") => 409,
            // What is refused stands in the item's result; the list is bob's own, and empty.
            (_, "/v1/queues/chat/jobs/bulk" | "/v1/queues/chat/jobs") => 200,
            _ => 404,
        };
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert!(
            !answer.contains("secret of ada") && !answer.contains("\"sleep\""),
            "{answer}"
        );
    }
    scene.end().await;
}

#[tokio::test]
async fn a_page_of_another_origin_reads_and_changes_nothing() {
    let scene = Scene::set().await;
    let id = scene.id();
    for (method, path, body) in verbs(&id) {
        let more = format!(
            "Origin: https://evil.example\r\nAuthorization: Bearer {}\r\n",
            of("bob")
        );
        let headers = headers(&more, &body);
        let (status, _, answer) = scene.gateway.request(method, &path, &headers, &body).await;
        assert_eq!(status, 403, "{method} {path}: {answer}");
    }
    scene.end().await;
}
