// send.js PORT TLS MECHANISM FILE FROM TO USER PASSWORD: one message by nodemailer, its
// bytes as they are. TLS is clear, starttls or implicit.
'use strict';
const fs = require('fs');
const nodemailer = require('nodemailer');
const [port, tls, mechanism, file, from, to, user, pass] = process.argv.slice(2);
const transport = nodemailer.createTransport({
    host: '127.0.0.1', port: Number(port), name: 'client.test',
    secure: tls === 'implicit', requireTLS: tls === 'starttls', ignoreTLS: tls === 'clear',
    tls: { rejectUnauthorized: false },
    authMethod: mechanism, auth: { user, pass },
});
transport.sendMail({ envelope: { from, to }, raw: fs.readFileSync(file) })
    .then((info) => console.log(info.response),
          (error) => { console.error(error.message); process.exit(1); });
