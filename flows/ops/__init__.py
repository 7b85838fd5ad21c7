"""Operations: the server, its automations and the notifications of failures."""
