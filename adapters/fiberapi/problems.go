package fiberapi

// problem explains one code to whoever receives it.
type problem struct {
	Code    string
	Status  int
	Meaning string
	Do      string
}

// Problems that are not made of a fault of the core.
const internalError = "internal_error"

// explained lists every code that this API may answer, by status.
func explained() []problem {
	return []problem{
		{"malformed_request", 400, "The request is not what it should be: the body is no JSON object, a name stands in it twice, a value has another type, or a header is out of bounds. With status 405, the method is not served at this address.", "Compare the request with the description of the operation. The member fields, where it is there, points at the part in question."},
		{"unknown_field", 400, "The body has a member that this operation does not know. Nothing was done, because a member that is ignored is often a misspelt one.", "Remove it or correct its name; fields points at it."},
		{"ambiguous_destination", 400, "It is not clear who or what should be asked: an address and a device were named, or neither.", "Send exactly one of to and device_id."},
		{"tenant_unknown", 400, "The header Countersign-Tenant names a tenant that is not configured.", "Correct the header, or leave it out to use the tenant of the host."},
		{"not_configured", 400, "The channel or feature exists, but it is not switched on in this deployment.", "Ask GET /v1/discovery what is on."},
		{"unauthenticated", 401, "The operation needs a credential and none was sent.", "Send the access token as Authorization: Bearer. Without one, sign in first."},
		{"unauthorized_otp_request", 401, "Codes are sent here only to people who are signed in or who give their password with the request.", "Send the access token, or the member password."},
		{"invalid_credentials", 401, "The name and the password do not go together. Whether there is such a name cannot be told from this.", "Let the person try again, sign in by a code, or choose a new password."},
		{"invalid_token", 401, "The token is not one of ours, belongs to another tenant, or its time is over.", "Use the refresh token to get new tokens; if that fails as well, sign in again."},
		{"token_revoked", 401, "The session behind the token has ended: somebody signed out, ended it from elsewhere, or a refresh token was used twice.", "Sign in again."},
		{"invalid_pending_token", 401, "The sign-in that this pending token continues is not known, or was completed already.", "Start again with a sign_in challenge."},
		{"pending_token_expired", 401, "The second step came too late.", "Start again with a sign_in challenge."},
		{"insufficient_user_authentication", 401, "The operation weakens or changes the account, so it asks for a proof that is fresher or stronger than the last one. WWW-Authenticate names what would do (RFC 9470).", "Start a step_up challenge, let the person answer it, and repeat the request with the access token from its outcome."},
		{"signup_not_allowed", 403, "New accounts are not made here in this way. When it answers a code, the code was right, but nobody has this address yet.", "Ask the operator for an account."},
		{"invite_not_allowed", 403, "Nobody can be invited here.", "Ask the operator."},
		{"destination_blocked", 403, "This address, name or network is not served here.", "Use another one, or ask the operator."},
		{"forbidden", 403, "The caller is known, and may not do that: an API key lacks a scope, or a link was followed in another browser than the one that asked.", "Use a credential that may. For a link, go back to the browser where it was asked for, or type the code there."},
		{"not_found", 404, "There is no such thing, or it belongs to somebody else. The two are never told apart.", "Check the address and the id."},
		{"challenge_not_found", 404, "The challenge is unknown, was used or cancelled, was replaced by newer ones, or belongs to another tenant. These are never told apart.", "Start a new challenge."},
		{"last_device", 409, "The account asks for a second factor at every sign-in, and this is the only device that can give it.", "Set up another device, or switch the second factor off first."},
		{"already_linked", 409, "The address is a confirmed device of this account, or the account elsewhere is connected to somebody.", "Use what is there, or remove it first."},
		{"too_many_devices", 409, "The account has as many devices as any may have.", "Remove one first."},
		{"no_device", 409, "There is no confirmed device that could give a second factor.", "Set one up with POST /v1/me/devices."},
		{"identity_taken", 409, "Somebody else has this identifier.", "Choose another one."},
		{"nothing_pending", 409, "Nothing waits to be confirmed: the change was made, cancelled, replaced by another one, or took too long.", "Ask for the change again."},
		{"last_login_method", 409, "Without it nobody could sign in to this account any more.", "Add another way of signing in first."},
		{"device_changed", 409, "The same device was used twice at the same moment; one of the two won.", "Repeat the request with a new code."},
		{"idempotency_conflict", 409, "The Idempotency-Key was used with another body, or the first request with it is still at work.", "Use a new key for a new request. For the same request, ask again in a moment."},
		{"challenge_expired", 410, "The code was not given in time.", "Start a new challenge."},
		{"link_used", 410, "The link was followed before, or its code was given.", "Start a new challenge."},
		{"link_expired", 410, "The link was not followed in time.", "Start a new challenge."},
		{"invitation_expired", 410, "The invitation was used, taken back, or has run out.", "Ask for a new invitation."},
		{"too_large", 413, "The body is larger than 64 KiB.", "Send less."},
		{"unsupported_media_type", 415, "The body is not application/json, or it is compressed.", "Send plain application/json."},
		{"invalid_request", 422, "The request can be read, but a value in it will not do.", "Each entry of fields says which value, with a code of its own: field_required, invalid_email, invalid_phone_number, invalid_username, invalid_kind, invalid_name, invalid_locale, invalid_metadata, invalid_channel, not_allowed, not_yours, unknown_value, out_of_range, invalid_password (not the one that you have now, or none that can be typed), password_too_short, password_too_long, password_too_common, password_entirely_numeric, password_too_similar."},
		{"malformed_code", 422, "What was typed cannot be the code: it has another length or other characters. It was not evaluated and cost nothing.", "Let the person look again at what they typed."},
		{"invalid_code", 422, "The code was evaluated, and it is wrong.", "Let the person try again; attempts_left says how often."},
		{"challenge_exhausted", 422, "Too many wrong codes were given. Not even the right one is accepted any more.", "Start a new challenge."},
		{"assertion_replayed", 422, "This proof was used before.", "Let the person make a new one."},
		{"invalid_assertion", 422, "What another site says about the person cannot be accepted: it is not signed by it, is meant for somebody else, or names an account that is not known or not welcome here.", "Let the person sign in there again, or sign in another way."},
		{"assertion_expired", 422, "What another site says about the person is too old.", "Let the person sign in there again."},
		{"rate_limited", 429, "Too many requests of this kind came from one address or went to one recipient.", "Wait as long as Retry-After says."},
		{"cooldown", 429, "A message went to this recipient a moment ago.", "Wait as long as Retry-After says; the message may still be on its way."},
		{"device_locked", 429, "Too many wrong codes in a row were given for this device or address, or wrong passwords for this name. Starting new challenges does not help.", "Wait as long as Retry-After says, or use another device."},
		{internalError, 500, "Something went wrong on our side that we did not foresee.", "Try again. If it stays, give the operator the value of instance: it stands in the log."},
		{"delivery_unavailable", 503, "The provider behind this channel does not answer at the moment.", "Try another channel, or wait as long as Retry-After says."},
		{"storage_unavailable", 503, "The database does not answer at the moment. Nothing was changed.", "Wait as long as Retry-After says and repeat the request."},
		{"not_ready", 503, "The process runs, but something that it needs does not answer; fields says what.", "Send requests to another replica. The log says why."},
	}
}
