-- Until when a channel wants an answer, while it waits for one; the largest number when it does not say.
ALTER TABLE orders ADD COLUMN answer_by INTEGER;
CREATE INDEX orders_answer_by ON orders (answer_by, id) WHERE answer_by IS NOT NULL;
