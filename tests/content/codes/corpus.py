"""Mails with and without one-time codes, made of texts in many languages.

Each mail is (name, expected code or None, octets). `first` and `second` are two halves made of the
same sentences in other shapes; `kinds` are short mails of many kinds. The rules have been tuned on
all of them: what they show is that nothing is lost, not how often a stranger's mail is read right.
"""
from email.message import EmailMessage
from email.policy import SMTP

from kinds import FRAME, KINDS

# language: (subject, sentence before, with {c}, sentence behind), the code in a sentence
SENTENCES = {
    "en": ("Your sign-in code", "Hi Ann, your verification code is {c}.", "It expires in 10 minutes. If you did not request this, ignore this email."),
    "en2": ("{c} is your Acme code", "{c} is your Acme login code.", "Never share it with anyone. Acme Inc., 94107 San Francisco"),
    "de": ("Ihr Anmeldecode", "Ihr Bestätigungscode lautet: {c}", "Der Code ist 15 Minuten gültig. Rufen Sie uns an: 030 1234567."),
    "fr": ("Votre code de connexion", "Votre code de vérification est le {c}.", "Il expire dans 10 minutes. Société au capital de 37 000 €, 75009 Paris."),
    "es": ("Código de verificación", "Tu código de verificación es {c}", "Caduca en 10 minutos. No lo compartas con nadie."),
    "it": ("Il tuo codice", "Il tuo codice di verifica è {c}.", "Scade tra 10 minuti. Via Roma 12, 20121 Milano."),
    "pt": ("Seu código de acesso", "Use o código {c} para entrar na sua conta.", "O código expira em 5 minutos. CNPJ 12.345.678/0001-90"),
    "nl": ("Je inlogcode", "Je verificatiecode is {c}.", "De code is 10 minuten geldig. Deel deze met niemand."),
    "pl": ("Kod weryfikacyjny", "Twój kod weryfikacyjny to: {c}", "Kod jest ważny przez 10 minut. Nie udostępniaj go nikomu."),
    "ru": ("Код подтверждения", "Ваш код подтверждения: {c}", "Код действителен 10 минут. Никому не сообщайте его."),
    "tr": ("Doğrulama kodunuz", "Doğrulama kodunuz: {c}", "Kod 5 dakika geçerlidir. Kimseyle paylaşmayın."),
    "ja": ("認証コードのお知らせ", "認証コードは{c}です。", "有効期限は30分です。第三者に教えないでください。"),
    "zh": ("登录验证码", "您的验证码是{c}，5分钟内有效。", "请勿泄露给他人。"),
    "zhtw": ("驗證碼通知", "您的驗證碼為 {c}，請於10分鐘內輸入。", "請勿將驗證碼告訴他人。"),
    "ko": ("인증번호 안내", "인증번호는 {c} 입니다.", "10분 동안 유효합니다. 다른 사람과 공유하지 마세요."),
    "ar": ("رمز التحقق", "رمز التحقق الخاص بك هو {c}", "تنتهي صلاحيته خلال 10 دقائق. لا تشاركه مع أحد."),
    "hi": ("आपका सत्यापन कोड", "आपका सत्यापन कोड {c} है।", "यह 10 मिनट के लिए मान्य है। इसे किसी से साझा न करें।"),
    "sv": ("Din inloggningskod", "Din verifieringskod är {c}.", "Koden är giltig i 10 minuter. Dela inte koden."),
    "cs": ("Ověřovací kód", "Váš ověřovací kód je {c}.", "Kód platí 10 minut. Nikomu jej nesdělujte."),
    "uk": ("Код підтвердження", "Ваш код підтвердження: {c}", "Код дійсний 10 хвилин. Нікому його не повідомляйте."),
    "vi": ("Mã xác minh", "Mã xác minh của bạn là {c}.", "Mã hết hạn sau 10 phút. Không chia sẻ mã này."),
    "id": ("Kode verifikasi", "Kode verifikasi Anda adalah {c}.", "Berlaku 10 menit. Jangan bagikan kepada siapa pun."),
    "el": ("Κωδικός επαλήθευσης", "Ο κωδικός επαλήθευσής σας είναι {c}.", "Ισχύει για 10 λεπτά. Μην τον κοινοποιήσετε."),
    "he": ("קוד האימות שלך", "קוד האימות שלך הוא {c}", "הקוד בתוקף ל-10 דקות. אל תשתף אותו."),
    "da": ("Din engangskode", "Din engangskode er {c}.", "Koden udløber om 10 minutter. Del ikke koden."),
}
CHARSETS = {"ru": "koi8-r", "tr": "iso-8859-9", "ja": "iso-2022-jp", "zh": "gb18030", "zhtw": "big5",
            "ko": "euc-kr", "cs": "iso-8859-2", "el": "iso-8859-7", "he": "windows-1255",
            "uk": "windows-1251", "ar": "windows-1256", "de": "iso-8859-1", "pl": "windows-1250"}

# How the code looks: (name, code, as written in text, as written in HTML)
SHAPES_1 = [
    ("plain6", "483920", "483920", "<b style='font-size:28px'>483920</b>"),
    ("spaced", "771204", "771 204", "<p class='big'>771 204</p>"),
    ("spans", "905518", "905518", "".join(f"<span class=d>{d}</span>" for d in "905518")),
    ("alnum", "XKCD42", "XKCD42", "<strong>XKCD42</strong>"),
    ("four", "7315", "7315", "<b>7315</b>"),
]
SHAPES_2 = [
    ("plain8", "60917733", "60917733", "<td style='font:bold 30px monospace'>60917733</td>"),
    ("hyphen", "318645", "318-645", "<h2>318-645</h2>"),
    ("cells", "246801", "246801", "<table><tr>" + "".join(f"<td>{d}</td>" for d in "246801") + "</tr></table>"),
    ("parts", "A7F-9KQ", "A7F-9KQ", "<code>A7F-9KQ</code>"),
    ("five", "58213", "58213", "<div style='letter-spacing:8px;font-size:32px'>58213</div>"),
]
NATIVE = {"ar": "٠١٢٣٤٥٦٧٨٩", "hi": "०१२३४५६७८९", "ja": "０１２３４５６７８９"}

NEWS = "<p>Unsubscribe: <a href='https://x.test/u/829104'>here</a></p><p>&copy; 2024 Acme, 10115 Berlin</p>"

# Mails without a code: (name, subject, text)
NONE_1 = [
    ("order", "Your order #483920 has shipped", "Order number: 483920\nTotal: $129.99\nTracking number: 1Z999AA10123456784\nEstimated delivery: 12/05/2024"),
    ("promo", "20% off with SAVE20", "Use code SAVE20 at checkout before 31 December 2024.\nValid on orders over 500000 IDR."),
    ("invoice-de", "Rechnung 2024-10482", "Rechnungsnummer: 104822\nKundennummer: 558213\nBetrag: 1.249,00 EUR\nIBAN DE89 3704 0044 0532 0130 00\nBitte überweisen Sie bis 30.11.2024."),
    ("never-ask", "Security tips", "We will never ask for your verification code. If someone asks, call 800 555 0199.\nCase 774120 was closed."),
    ("ci", "Build 482913 failed", "error code 550 in step 3\ncommit 9f8e7d6\nexit code 137\nversion 10.4.2"),
    ("meeting", "Invitation: weekly sync", "Join Zoom Meeting\nMeeting ID: 482 913 7765\nDial-in: +1 646 558 8656"),
    ("dress", "Party on Friday", "Dress code: casual. Street: 12345 Main St. Gate 4821 closes at 18:30."),
    ("booking-fr", "Votre réservation", "Numéro de réservation : 558213\nTéléphone : 01 42 68 53 00\nCode postal : 75009\nMontant total : 1 250 €"),
    ("order-es", "Tu pedido", "Número de pedido: 771204\nCódigo postal 28013\nCódigo de descuento: VERANO25"),
    ("order-ru", "Ваш заказ", "Номер заказа: 558213\nПочтовый индекс 101000\nПромокод ЛЕТО25\nСумма 12500 руб."),
    ("order-ja", "ご注文ありがとうございます", "ご注文番号: 483920\n合計: 12,800円\n郵便番号 100-0001\nクーポンコード: SAVE20"),
    ("order-zh", "订单确认", "订单号：20240512\n金额：1280元\n优惠码：SAVE88\n客服电话 400 820 8820"),
    ("link", "Confirm your email", "Click to confirm your email address:\nhttps://x.test/verify?code=483920&t=1\nThe link expires in 24 hours."),
    ("receipt", "Receipt", "Receipt #2291-4820\nVisa ending in 4242\nTotal 482913 JPY"),
    ("changed", "Your password was changed", "Your password was changed on 12 May 2024 at 10:42 from 192.168.10.24. If this wasn't you, call 18005550199."),
    ("news", "Issue 2024: QR codes", "Source code and QR codes: what 12345 readers told us. Area code 415."),
]
NONE_2 = [
    ("parcel", "Parcel on its way", "Tracking ID 00340434292135100186\nYour parcel from order 55821377 arrives 10:30-12:30."),
    ("expired", "Your code expired", "Your previous code 483920 has expired. Request a new one in the app."),
    ("gift", "Your gift card", "Gift card code: GIFT-8842-XKQP\nAmount: 50 EUR"),
    ("flight", "Booking confirmed", "Booking reference: XKQ7PL\nFlight LH 4821, seat 24A, gate 1204\nTotal 482.13 EUR"),
    ("bank", "Statement", "Sort code 12-34-56, account number 48291377\nBalance 10482.55"),
    ("ticket", "Ticket 482913 updated", "Ticket number 482913\nReference: 771204\nPriority 1"),
    ("order-it", "Conferma ordine", "Numero ordine 483920\nCodice fiscale RSSMRA80A01H501U\nCAP 20121\nCodice sconto: ESTATE20"),
    ("order-pl", "Zamówienie", "Numer zamówienia: 558213\nKod pocztowy 00-950\nKod rabatowy: LATO20\nTelefon 22 123 45 67"),
    ("order-tr", "Siparişiniz", "Sipariş no: 558213\nPosta kodu 34394\nİndirim kodu: YAZ20\nTutar 1250 TL"),
    ("order-ko", "주문 완료", "주문번호: 20240512771\n우편번호 04524\n할인 코드: SAVE20\n금액 48200원"),
    ("order-nl", "Bestelling", "Bestelnummer: 558213\nPostcode 1012 AB\nKortingscode: ZOMER20\nKlantnummer 77120"),
    ("invite", "Ann invited you", "Accept the invitation: https://x.test/i/A7F9KQ\nThis link is valid for 7 days."),
    ("reset", "Reset your password", "Reset your password here:\nhttps://x.test/reset/829104?token=771204\nIt expires in 60 minutes."),
    ("alert", "New sign-in", "New sign-in from 203.0.113.77 at 14:05 on 2024-05-12, Chrome 124. Device ID 558213."),
    ("survey", "We miss you", "Take 5 minutes. 10000 points await you until 31.12.2024. Call 0800 123456."),
    ("stock", "Daily report", "2024-05-12: 482913 visitors, 7315 orders, 12,345.67 USD"),
]

# Others with a code: (name, code, subject, text, html)
OTHERS_1 = [
    ("order-and-code", "483920", "Confirm your order", "Order number: 771204\nTotal: 1299 EUR\n\nTo confirm, enter this verification code:\n\n483920\n\nIt expires in 10 minutes.", None),
    ("google", "905518", "Verification", "G-905518 is your Google verification code.", None),
    ("old-quoted", "318645", "Re: code", "Your new login code: 318645\n\nOn Mon, Jan 1, 2024 Ann wrote:\n> Your login code: 999111", None),
    ("preheader", "246801", "Sign in", None, "<div style='display:none'>Your code is 246801</div><p>Use this code to sign in:</p><p style='font-size:30px'>246801</p>" + NEWS),
    ("otp-html", "7315", "OTP", None, "<h1>Acme</h1><p>Your OTP for transaction of Rs. 25000 at 10:42 on 12-05-2024 is <b>7315</b>. Valid for 5 minutes.</p>" + NEWS),
    ("inputs", "905518", "Verify your device", None, "<p>Enter the code</p>" + "".join(f"<input value={d}>" for d in "905518") + "<p>to verify your device.</p>"),
    ("wrapped", "483920", "Login", "Hello,\n\nplease use the following one-time\npassword to log in:\n483920\n\nThanks", None),
    ("vertical", "77120", "Your code", None, "<p>Your security code:</p>" + "".join(f"<div>{d}</div>" for d in "77120") + NEWS),
]
OTHERS_2 = [
    ("slack", "FRT-9KQ", "Slack confirmation code: FRT-9KQ", "Confirm your email address\nYour confirmation code is below - enter it in your open browser window.\n\nFRT-9KQ\n\nQuestions? Call 415 555 0133.", None),
    ("bank-tan", "482913", "Ihre TAN", "Überweisung über 1.250,00 EUR an DE89 3704 0044 0532 0130 00 am 12.05.2024.\nIhre TAN lautet 482913.", None),
    ("many-numbers", "60917733", "Verify it's you", "Ticket 12345, IP 10.20.30.40, 12 May 2024 10:42.\n\nSecurity code: 60917733\n\nAcme, PO Box 94107, tel +1 800 555 0199, (c) 2024", None),
    ("new-and-old", "558213", "New code", "Your previous code 483920 has expired. Your new verification code is 558213.", None),
    ("before-label", "771204", "Acme", "771204\n\nis the code to verify your email address. It is valid for 30 minutes.", None),
    ("inline-blocks", "318645", "Zugang", None, "<p>Geben Sie diesen Code ein, um sich anzumelden</p>" + "".join(f"<div style='display:inline-block;width:30px'>{d}</div>" for d in "318645") + NEWS),
    ("class-style", "246801", "Code", None, "<style>.c{font-size:34px;letter-spacing:6px}.h{display:none}</style><span class=h>Ref 991122</span><p>Log in to Acme with</p><p class=c>246801</p><p>Order 771204</p><p>Do not share this.</p>"),
    ("lower-alnum", "x7k2m9", "Sign in to Acme", "Your login code: x7k2m9\n\nThis code expires in 15 minutes.", None),
]


def message(subject, text, html, charset, encoding):
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "Acme <no-reply@acme.test>"
    mail["To"] = "ann@example.test"
    mail["Subject"] = subject
    mail["Message-ID"] = "<1@acme.test>"
    if text is not None:
        body = text + "\n"
        try:
            body.encode(charset)
            mail.set_content(body, charset=charset, cte=encoding if charset != "iso-2022-jp" else "base64")
        except (UnicodeEncodeError, LookupError, ValueError):
            mail.set_content(body, charset="utf-8", cte="base64")
    if html is not None:
        page = "<html><body>" + html + "</body></html>"
        if text is None:
            mail.set_content(page, subtype="html", charset="utf-8", cte=encoding)
        else:
            mail.add_alternative(page, subtype="html", charset="utf-8", cte=encoding)
    return mail.as_bytes()


def sentence_mails(languages, shapes):
    for number, language in enumerate(languages):
        subject, before, behind = SENTENCES[language]
        for offset in (0, 1):
            name, code, written, marked = shapes[(number + 2 * offset) % len(shapes)]
            encoding = ("quoted-printable", "base64")[(number + offset) % 2]
            shown = written
            if language in NATIVE and name.startswith(("plain", "five")):
                shown = written.translate(str.maketrans("0123456789", NATIVE[language]))
            text = before.format(c=shown) + "\n\n" + behind
            html = None if offset else "<p>" + before.format(c="</p>" + marked + "<p>") + "</p><p>" + behind + "</p>" + NEWS
            yield (f"{language}-{name}-{offset}", code, message(subject.format(c=shown), text if offset else None,
                   html, CHARSETS.get(language, "utf-8"), encoding))


def other_mails(others):
    for name, code, subject, text, html in others:
        yield name, code, message(subject, text, html, "utf-8", "quoted-printable")


def none_mails(nones):
    for name, subject, text in nones:
        yield name + "-text", None, message(subject, text, None, "utf-8", "base64")
        html = "".join(f"<p>{line}</p>" for line in text.split("\n")) + NEWS
        yield name + "-html", None, message(subject, None, html, "utf-8", "quoted-printable")


def first():
    languages = list(SENTENCES)
    return [*sentence_mails(languages, SHAPES_1), *other_mails(OTHERS_1), *none_mails(NONE_1)]


def second():
    languages = list(SENTENCES)
    return [*sentence_mails(languages, SHAPES_2), *other_mails(OTHERS_2), *none_mails(NONE_2)]


def kinds():
    return [(subject + ": " + body[:40], code,
             message(subject, None if is_html else body, FRAME % body if is_html else None, "utf-8", "base64"))
            for subject, code, is_html, body in KINDS]
