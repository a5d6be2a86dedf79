-- The schema and the rows of goals/stack.yaml. All or nothing: a second try finds either everything or nothing.
BEGIN;
CREATE TABLE fruit (
    id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name  text    NOT NULL UNIQUE CHECK (name <> ''),
    price numeric NOT NULL CHECK (price > 0)
);
INSERT INTO fruit (name, price) VALUES ('apple', 0.40), ('quince', 1.20), ('medlar', 2.10);
COMMIT;
